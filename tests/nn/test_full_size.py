"""One identity at the paper's size, on the meta device: from CLIP and face vector to the velocity.

Nothing is computed; every tensor has the shape that it has with the published checkpoints.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.photomaker import meta_parts
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import (
    CLIP_VIT_L14,
    COGVIDEOX_5B_TRANSFORMER,
    ID_PERCEIVER_V2,
    adapter_config,
)
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel

REFERENCES, TEXT, LAYERS = 2, 226, range(0, 42, 2)
LATENTS = (1, 13, 16, 60, 90)  # 49 frames of 480 by 720
VIDEO = 13 * 30 * 45


def _empty(*shape: int, **kind: Any) -> Tensor:
    return torch.empty(*shape, device="meta", **kind)


@pytest.fixture(scope="module")
def features() -> IdentityFeatures:
    clip, perceiver = meta_parts(CLIP_VIT_L14, ID_PERCEIVER_V2)
    encoder = IdentityEncoder(clip, perceiver, ID_PERCEIVER_V2, None)
    mask = _empty(1, REFERENCES, dtype=torch.bool)
    return encoder.features(_empty(1, REFERENCES, 3, 224, 224), _empty(1, REFERENCES, 512), mask)


@pytest.fixture(scope="module")
def mirror() -> tuple[MagicMirrorTransformer3DModel, MagicMirrorAdapter]:
    with torch.device("meta"):
        model = MagicMirrorTransformer3DModel(**COGVIDEOX_5B_TRANSFORMER)
    config = adapter_config("paper", model.config, 1024, 2048)
    return model, MagicMirrorAdapter.create(model, config)


@pytest.fixture(scope="module")
def condition(mirror: Any, features: IdentityFeatures) -> IdentityCondition:
    return mirror[1].encode_identity(features)


@pytest.fixture(scope="module")
def passed(mirror: Any, condition: IdentityCondition) -> dict[str, Any]:
    """The prediction, and what came out of each adapted layer's parts on the way."""
    model, adapter = mirror
    seen: dict[str, Any] = {"can": {}, "keys": {}, "streams": {}}
    for name, layer in adapter.layers.items():
        index, block = int(name), model.transformer_blocks[int(name)]
        for kind, part in (("can", layer.can), ("keys", layer.ca.norm_k), ("streams", block)):
            part.register_forward_hook(
                lambda _, __, out, kind=kind, index=index: seen[kind].update({index: out})
            )
    with torch.no_grad():
        seen["velocity"] = model(
            hidden_states=_empty(*LATENTS),
            encoder_hidden_states=_empty(1, TEXT, 4096),
            timestep=_empty(1, dtype=torch.long),
            image_rotary_emb=tuple(t.to("meta") for t in rotary_table(model.config, 13, 60, 90)),
            **condition.transformer_inputs(),
        ).sample
    return seen


@pytest.mark.capability("identity perceiver", scale="L")
def test_the_identity_perceiver_gives_two_tokens_a_photograph(features: IdentityFeatures) -> None:
    assert features.x_id.shape == (1, REFERENCES, 2, 2048)
    assert features.clip_tokens.shape == (1, REFERENCES, 257, 1024)


@pytest.mark.capability("face perceiver", scale="L")
def test_the_face_perceiver_gives_its_tokens_in_the_transformer_s_width(
    condition: IdentityCondition,
) -> None:
    assert condition.x_face.shape == (1, 32, 3072)


@pytest.mark.capability("text fusion", scale="L")
def test_identity_and_class_word_are_fused_in_t5_s_width(mirror: Any) -> None:
    fused = mirror[1].text_fusion(_empty(4, 4096), _empty(4, 2048))
    assert fused.shape == (4, 4096)


@pytest.mark.capability("CAN", scale="L")
def test_each_even_layer_shifts_its_modulation_by_the_identity(passed: dict[str, Any]) -> None:
    shapes = {index: out.shape for index, out in passed["can"].items()}
    assert shapes == dict.fromkeys(LAYERS, (1, 12 * 3072))


@pytest.mark.capability("decoupled cross-attention", scale="L")
def test_each_even_layer_offers_the_face_s_keys_to_all_tokens(passed: dict[str, Any]) -> None:
    shapes = {index: out.shape for index, out in passed["keys"].items()}
    assert shapes == dict.fromkeys(LAYERS, (1, 48, 32, 64))


@pytest.mark.capability("face stream", scale="L")
def test_the_face_stream_passes_all_layers_beside_text_and_video(passed: dict[str, Any]) -> None:
    streams = passed["streams"]
    assert set(streams) == set(LAYERS)
    for video, encoder in streams.values():
        assert video.shape == (1, VIDEO, 3072)
        assert encoder.shape == (1, 32 + TEXT, 3072)


@pytest.mark.capability("paper's size", scale="L")
def test_a_velocity_of_the_latents_own_shape_comes_out(passed: dict[str, Any]) -> None:
    assert passed["velocity"].shape == LATENTS
