"""What waits beside a training on a small GPU; the meta device stands for the GPU."""

from pathlib import Path

import pytest
import torch

from mm_model.generation import backbone as backbones
from mm_model.generation.backbone import load_backbone
from mm_model.generation.clips import pipeline_of
from mm_model.settings import RunSettings
from mm_model.settings import device as devices
from tests.nn import layout, tiny

RUN = RunSettings(seed=0, threads=1, device="cuda", dtype="float32")
GPU = torch.device("meta")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = layout.write(tmp_path_factory.mktemp("backbone"))
    tiny.identity_encoder().save_pretrained(root / "identity_encoder")
    return root


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(backbones, "device_of", lambda _: GPU)
    monkeypatch.setattr(backbones, "is_small", lambda _: True)
    return monkeypatch


def _places(made: backbones.Backbone) -> dict[str, str]:
    parts = {
        "text_encoder": made.text_encoder,
        "vae": made.vae,
        "transformer": made.transformer,
        "vision": made.identity_encoder.vision_model,
        "recognizer": made.identity_encoder.recognizer,
    }
    return {name: next(part.parameters()).device.type for name, part in parts.items()}


def test_text_and_vision_wait_on_a_small_gpu_and_what_a_loss_goes_through_does_not(
    folder: Path, small: pytest.MonkeyPatch
) -> None:
    made = load_backbone(folder, RUN)
    assert _places(made) == {
        "text_encoder": "cpu",
        "vae": "meta",
        "transformer": "meta",
        "vision": "cpu",
        "recognizer": "meta",
    }
    assert made.vae.use_tiling


def test_the_transformer_is_idle_where_only_the_others_encode(
    folder: Path, small: pytest.MonkeyPatch
) -> None:
    made = load_backbone(folder, RUN, idle=("transformer",))
    assert {name for name, place in _places(made).items() if place == "cpu"} == {"transformer"}
    assert not made.vae.use_tiling


def test_all_lie_together_where_there_is_room(folder: Path, small: pytest.MonkeyPatch) -> None:
    small.setattr(backbones, "is_small", lambda _: False)
    assert set(_places(load_backbone(folder, RUN)).values()) == {"meta"}


def test_a_text_that_was_read_elsewhere_arrives_where_the_sampler_is(
    folder: Path, small: pytest.MonkeyPatch
) -> None:
    pipe = pipeline_of(load_backbone(folder, RUN), None)
    assert pipe.device == pipe._execution_device == GPU
    text, negative = pipe.encode_prompt("a man walks", device=GPU)
    assert text.device == negative.device == GPU
    assert text.shape == negative.shape


def test_a_text_read_where_it_waits_is_the_stock_pipeline_s(folder: Path) -> None:
    cpu = RUN.model_copy(update={"device": "cpu"})
    pipe = pipeline_of(load_backbone(folder, cpu), None)
    assert pipe.samples_on == torch.device("cpu")
    ours = pipe.encode_prompt("a man walks")
    pipe.samples_on = None
    assert all(
        torch.equal(*pair) for pair in zip(ours, pipe.encode_prompt("a man walks"), strict=True)
    )


@pytest.mark.parametrize(("memory", "is_small"), [(24e9, True), (48e9, False), (85e9, False)])
def test_a_gpu_is_small_below_forty_gigabytes(
    memory: float, is_small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Properties:
        total_memory = int(memory)

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    assert devices.is_small(torch.device("cuda")) == is_small
    assert not devices.is_small(torch.device("cpu"))
