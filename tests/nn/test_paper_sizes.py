"""The paper preset on the meta device: parameter counts, key names, preset sizes."""

import pytest
import torch

from mm_model.errors import UserError
from mm_model.nn.identity.photomaker import meta_parts
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import (
    CLIP_VIT_L14,
    COGVIDEOX_5B_TRANSFORMER,
    ID_PERCEIVER_V2,
    T5_XXL_ENCODER,
    adapter_config,
)
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.planning.shapes import MODULATION, OUTSIDE, TRAINED
from tests.nn import tiny

NULLS = 102_400


def count(module):
    return sum(p.numel() for p in module.parameters())


def paper(preset="paper", **overrides):
    with torch.device("meta"):
        model = MagicMirrorTransformer3DModel(**COGVIDEOX_5B_TRANSFORMER)
    config = adapter_config(preset, model.config, 1024, 2048, **overrides)
    return model, MagicMirrorAdapter.create(model, config)


@pytest.mark.capability("CogVideoX-5B's layout", scale="L")
def test_base_keys_equal_the_library_s_own():
    from diffusers import CogVideoXTransformer3DModel

    with torch.device("meta"):
        base = CogVideoXTransformer3DModel(**COGVIDEOX_5B_TRANSFORMER)
    model, _ = paper()
    own = {k: v.shape for k, v in model.state_dict().items() if ".adapter." not in k}
    assert own == {k: v.shape for k, v in base.state_dict().items()}
    missing, unexpected = model.load_state_dict(base.state_dict(), strict=False, assign=True)
    assert not unexpected
    assert missing
    assert all(".adapter." in key for key in missing)


@pytest.mark.capability("paper's size", scale="L")
def test_paper_preset_counts():
    model, adapter = paper()
    groups = {
        "face_perceiver": 207_740_928,
        "face_proj": 6_294_528,
        "text_fusion": 41_963_520,
        "can_proj": 524_544,
    }
    for name, expected in groups.items():
        assert count(getattr(adapter, name)) == expected, name
    layers = adapter.layers.values()
    assert len(adapter.layers) == 21
    assert sum(count(layer.can) for layer in layers) == 881_599_488
    assert sum(count(layer.face_mod) for layer in layers) == 198_567_936
    assert sum(count(layer.ca.to_k) + count(layer.ca.to_v) for layer in layers) == 396_490_752
    assert sum(count(layer.ca.norm_k) for layer in layers) == 2_688
    assert adapter.null_face.numel() + adapter.null_id.numel() == NULLS
    assert count(adapter) == 1_733_442_432 + NULLS
    assert sum(p.numel() for p in model.base_parameters()) == 5_570_283_072


@pytest.mark.capability("paper's size", scale="L")
def test_paper_total_prints_as_12_8_billion():
    from diffusers import AutoencoderKLCogVideoX
    from transformers import T5Config, T5EncoderModel

    down, up = ("CogVideoXDownBlock3D",) * 4, ("CogVideoXUpBlock3D",) * 4
    with torch.device("meta"):
        text = T5EncoderModel(T5Config(**T5_XXL_ENCODER))
        vae = AutoencoderKLCogVideoX(
            latent_channels=16,
            block_out_channels=(128, 256, 256, 512),
            layers_per_block=3,
            down_block_types=down,
            up_block_types=up,
        )
    clip, tau_id = meta_parts(CLIP_VIT_L14, ID_PERCEIVER_V2)
    model, adapter = paper()
    base = sum(p.numel() for p in model.base_parameters()) + count(text) + count(vae)
    assert base == 10_548_177_635
    total = base + count(clip) + count(tau_id) + count(adapter) - NULLS
    assert f"{total / 1e9:.3f}" == "12.802"


@pytest.mark.parametrize(
    ("preset", "total"),
    [
        ("paper", "12.80"),
        ("paper_wide", "12.85"),
        ("mid", "12.36"),
        ("lite", "12.14"),
        ("lean", "11.82"),
    ],
)
def test_other_presets(preset, total):
    _, adapter = paper(preset)
    assert count(adapter) == pytest.approx(TRAINED[preset], rel=0.005)
    predictors = sum(p.numel() for n, p in adapter.named_parameters() if n in adapter.modulation)
    assert predictors == pytest.approx(MODULATION[preset], rel=0.001)
    outside = count(adapter) - sum(count(layer) for layer in adapter.layers.values())
    assert outside == pytest.approx(OUTSIDE.get(preset, 2.566e8), rel=0.01)
    frozen = 10_548_177_635 + 303_179_776 + 217_122_816
    assert f"{(frozen + count(adapter) - NULLS) / 1e9:.2f}" == total


def test_gates_and_own_projection_add_what_they_should():
    plain = count(paper()[1])
    assert count(paper(attention_mode="gated_joint")[1]) == plain + 21
    assert count(paper(ca_out_proj="own")[1]) == plain + 21 * (3072 * 3072 + 3072)


def test_tiny_preset_follows_the_backbone():
    for heads, head_dim, id_dim in ((6, 32, 64), (4, 16, 32), (8, 48, 128)):
        transformer = {**COGVIDEOX_5B_TRANSFORMER, **tiny.TRANSFORMER}
        transformer |= {"num_attention_heads": heads, "attention_head_dim": head_dim}
        config = adapter_config("tiny", transformer, 40, id_dim)
        assert config.width == heads * head_dim
        assert config.face_dim == config.face_heads * config.face_head_dim
        assert (config.clip_dim, config.id_dim) == (40, id_dim)


def test_unknown_values_are_refused_with_the_choices():
    config = COGVIDEOX_5B_TRANSFORMER
    with pytest.raises(UserError, match="paper_wide"):
        adapter_config("huge", config, 1024, 2048)
    with pytest.raises(UserError, match="gated_joint"):
        adapter_config("paper", config, 1024, 2048, attention_mode="none")
    with pytest.raises(UserError, match="even layers"):
        adapter_config("paper", config, 1024, 2048, adapter_layers=(1, 3))
