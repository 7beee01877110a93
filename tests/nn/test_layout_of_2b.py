"""CogVideoX-2B's layout: sincos positions, one file of float16, its VAE's scale, its noise."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mm_model.diffusion.schedule import NoiseSchedule, build_scheduler
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.injection.config import backbone_family
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.published.sizes import COGVIDEOX_2B_SCHEDULE, COGVIDEOX_2B_TRANSFORMER
from tests.nn import layout, pipes, tiny

pytestmark = pytest.mark.capability("CogVideoX-2B's layout", scale="L")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layout.write_2b(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> dict[str, Any]:
    return load_components(folder, torch.float32)


def test_every_weight_arrives(parts: dict[str, Any]) -> None:
    plain = tiny.base_transformer(**layout.SINCOS)
    expected = plain.half().float().state_dict()
    loaded = parts["transformer"].state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key], value) for key, value in expected.items())
    assert backbone_family(parts["transformer"].config).endswith("-sincos")
    assert parts["vae"].config.scaling_factor == pytest.approx(1.15258426)


def test_its_noise_is_three_times_as_strong(parts: dict[str, Any]) -> None:
    """snr_shift_scale divides the signal-to-noise ratio at every timestep."""
    ours, usual = (
        NoiseSchedule.from_scheduler(one).alphas_cumprod[:-1]
        for one in (parts["scheduler"], build_scheduler())
    )
    ratio = (usual / (1 - usual)) / (ours / (1 - ours))
    # the rescaling to zero terminal SNR comes after the shift, so the last steps differ more
    assert float(ratio[:500].median()) == pytest.approx(3.0, rel=0.05)


def test_the_plain_base_answers_without_identity_and_another_thing_with_it(folder: Path) -> None:
    from diffusers import CogVideoXPipeline

    stock = CogVideoXPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    stock.set_progress_bar_config(disable=True)
    encoder = tiny.identity_encoder()
    pipe = MagicMirrorPipeline.from_pretrained(
        folder, identity_encoder=encoder, torch_dtype=torch.float32
    )
    pipe.set_progress_bar_config(disable=True)
    config = adapter_config("tiny", pipe.transformer.config, encoder.clip_dim, encoder.id_dim)
    adapter = MagicMirrorAdapter.create(pipe.transformer, config)
    tiny.shake(adapter, scale=0.05)
    pipe.register_modules(adapter=adapter.eval())
    call = pipes.CALL | {"max_sequence_length": tiny.MAX_LENGTH}
    plain = stock(pipes.PLAIN, generator=pipes.seeded(), **call).frames
    given = {"reference_images": [pipes.subject()], "generator": pipes.seeded()}
    zero = pipe(pipes.PROMPT, **given, id_scale=0.0, **call).frames
    given["generator"] = pipes.seeded()
    shown = pipe(pipes.PROMPT, **given, **call).frames
    assert torch.equal(plain, zero)
    assert bool(shown.isfinite().all()) and not torch.allclose(plain, shown)


@pytest.mark.capability("paper's size", scale="L")
def test_an_identity_passes_it_at_full_size_on_meta() -> None:
    with torch.device("meta"):
        model = MagicMirrorTransformer3DModel(**COGVIDEOX_2B_TRANSFORMER)
        config = adapter_config("lite", model.config, 1024, 2048)
        adapter = MagicMirrorAdapter.create(model, config)
        with torch.no_grad():
            found = model(
                hidden_states=torch.empty(1, 13, 16, 60, 90),
                encoder_hidden_states=torch.empty(1, 226, 4096),
                timestep=torch.empty(1, dtype=torch.long),
                face_tokens=torch.empty(1, 32, 1920),
                id_code=torch.empty(1, 512),
            ).sample
    assert found.shape == (1, 13, 16, 60, 90)
    assert list(map(int, adapter.layers)) == list(range(0, 30, 2))


def test_the_published_noise_is_what_the_library_s_conversion_writes() -> None:
    assert COGVIDEOX_2B_SCHEDULE["snr_shift_scale"] == 3.0
    assert build_scheduler("ddim", COGVIDEOX_2B_SCHEDULE).alphas_cumprod[-1] == 0
