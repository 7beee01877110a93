"""Classifiers of three families say what the library's own pipeline says; what is wrong is one
sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.classifiers.picture import PictureClassifier, open_classifier
from mm_model.errors import UserError
from tests.classifiers.made_classifiers import FAMILIES, vit

pytestmark = pytest.mark.capability("watermarks", scale="L")

WAY_OUT = "leave the watermarks alone"
SIZES = [(96, 96), (128, 64), (64, 128), (300, 200), (33, 20)]


def scenery(seed: int, width: int, height: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


PICTURES = [scenery(seed, *size) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    for name, make in FAMILIES.items():
        make(folder / name)
    return folder


def classifier(folder: Path, label: str = "watermark", **more: Any) -> PictureClassifier:
    return PictureClassifier(folder, label, "cpu", way_out=WAY_OUT, **more)


def by_the_library(folder: Path, label: str) -> list[float]:
    from transformers import pipeline

    asked = pipeline("image-classification", model=str(folder), device="cpu")
    return [
        next(
            one["score"]
            for one in asked(Image.fromarray(pixels), top_k=None)
            if one["label"] == label
        )
        for pixels in PICTURES
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_is_what_the_library_s_own_pipeline_says(shelf: Path, family: str) -> None:
    scores = classifier(shelf / family).scores(PICTURES)
    assert scores == pytest.approx(by_the_library(shelf / family, "watermark"), abs=1e-6)
    assert len({round(score, 3) for score in scores}) == len(PICTURES), "it follows what is shown"


@pytest.mark.parametrize("family", FAMILIES)
def test_eight_at_a_time_say_what_each_alone_says(shelf: Path, family: str) -> None:
    many = [*PICTURES, *(scenery(seed, 80, 60) for seed in range(20, 26))]
    together = classifier(shelf / family, batch=8).scores(many)
    assert np.allclose(together, classifier(shelf / family, batch=1).scores(many), atol=1e-6)


def test_the_value_of_a_picture_hangs_on_no_other(shelf: Path) -> None:
    """Else a run that knows some files already would give other bytes than one that does not."""
    asked = classifier(shelf / "swin")
    alone = [asked.scores([pixels])[0] for pixels in PICTURES]
    assert asked.scores(PICTURES) == alone
    assert asked.scores([*reversed(PICTURES)]) == [*reversed(alone)]


@pytest.mark.parametrize(("given", "shown"), [(None, 1), (8, 8)])
def test_the_network_is_shown_as_many_pictures_every_time(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, given: int | None, shown: int
) -> None:
    """One on a processor; a batch that is not full is filled up."""
    from transformers import ViTForImageClassification

    told: list[int] = []
    forward = ViTForImageClassification.forward

    def noted(self: Any, pixel_values: torch.Tensor) -> Any:
        told.append(len(pixel_values))
        return forward(self, pixel_values)

    monkeypatch.setattr(ViTForImageClassification, "forward", noted)
    many = [*PICTURES, *PICTURES]
    assert len(classifier(shelf / "vit", batch=given).scores(many)) == len(many)
    assert told == [shown] * -(-len(many) // shown)


def test_labels_that_exclude_each_other_share_one_and_others_do_not(shelf: Path) -> None:
    sums = {
        family: sum(classifier(shelf / family, label).scores(PICTURES[:1])[0] for label in labels)
        for family, labels in {
            "vit": ("clean", "watermark"),
            "swin": ("text", "logo", "watermark", "border", "sign", "subtitle", "frame", "stamp"),
        }.items()
    }
    assert sums["vit"] == pytest.approx(1, abs=1e-6)
    assert sums["swin"] > 1.5, "each label is a question of its own"


def test_a_single_label_is_a_question_of_its_own(tmp_path: Path) -> None:
    vit(tmp_path / "one", ("watermark",))
    scores = classifier(tmp_path / "one").scores(PICTURES)
    assert scores == pytest.approx(by_the_library(tmp_path / "one", "watermark"), abs=1e-6)
    assert max(scores) < 1


def test_the_record_names_the_very_weights_and_the_label(shelf: Path, tmp_path: Path) -> None:
    known = classifier(shelf / "vit").describe()
    copy = Path(shutil.copytree(shelf / "vit", tmp_path / "vit"))
    assert classifier(copy).describe() == known
    assert (known["name"], known["kind"], known["label"]) == ("vit", "vit", "watermark")
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert classifier(copy).describe()["digest"] != known["digest"]
    assert classifier(shelf / "vit", "clean").describe()["label"] == "clean"


def test_nothing_is_loaded_before_the_classifier_is_asked(shelf: Path) -> None:
    asked = classifier(shelf / "vit")
    assert asked.scores([]) == [] and asked._model is None


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def saying(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_json(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text("{")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (without("config.json"), "holds no config.json that says model_type"),
    "a language model": (saying(model_type="llama"), "'llama', which is no picture classifier"),
    "code of its own": (saying(model_type="mine"), "code of a model's own is never run"),
    "a pickle": (pickled, "holds no weights in safetensors"),
    "no processor": (without("preprocessor_config.json"), "holds no preprocessor_config.json"),
    "a damaged processor": (no_json, "its processor cannot be opened"),
    "numbers": (saying(problem_type="regression"), "trained to give numbers and no probabilities"),
    "no number of layers": (saying(num_hidden_layers="two"), "config.json cannot be read"),
    "other labels": (
        saying(id2label={"0": "LABEL_0", "1": "LABEL_1"}),
        "has no label 'watermark': its labels are 'LABEL_0', 'LABEL_1'; name one of them, or",
    ),
    "many labels": (
        saying(id2label={str(place): f"kind {place}" for place in range(1000)}),
        "'kind 11' and 988 more; name one of them, or",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_folder_that_is_no_classifier_is_refused_in_one_sentence(
    shelf: Path, tmp_path: Path, what: str
) -> None:
    change, said = WRONG[what]
    change(Path(shutil.copytree(shelf / "vit", tmp_path / "broken")))
    with pytest.raises(UserError) as refused:
        open_classifier(tmp_path, "broken", "watermark", "cpu", field="x.model", way_out=WAY_OUT)
    text = str(refused.value)
    assert said in text and "broken" in text and "\n" not in text and text.endswith(f"{WAY_OUT}.")


def test_a_name_that_is_not_on_the_shelf_is_told_with_those_that_are(
    shelf: Path, tmp_path: Path
) -> None:
    def refusal(folder: Path, name: str) -> str:
        with pytest.raises(UserError) as refused:
            open_classifier(folder, name, "watermark", "cpu", field="x.model", way_out=WAY_OUT)
        return str(refused.value)

    said = refusal(shelf, "other")
    assert said.startswith("x.model is other, and no folder of that name stands on the shelf")
    assert "it holds convnext, swin, vit" in said and said.endswith(f"or {WAY_OUT}.")
    (tmp_path / "vit").symlink_to(shelf / "vit")
    said = refusal(tmp_path, "vit")
    assert "is a link, and nobody would see" in said and "let classifiers in params.yaml" in said


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        classifier(folder).scores(PICTURES[:2])
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_weights_that_are_not_those_of_the_network_are_refused(shelf: Path, tmp_path: Path) -> None:
    """The library alone would draw a head at random and go on."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(shelf / "vit", tmp_path / "vit"))
    path = folder / "model.safetensors"
    whole = load_file(path)

    def kept(weights: dict[str, torch.Tensor]) -> str:
        save_file(weights, path, {"format": "pt"})
        return refusal(folder)

    headless = {name: value for name, value in whole.items() if "classifier" not in name}
    assert "2 tensors of the classifier are missing" in kept(headless)
    said = kept(whole | {"pooler.dense.weight": torch.zeros(32, 32)})
    assert "1 tensors belong to no part of the classifier, e.g. pooler" in said
    said = kept(whole | {"classifier.weight": torch.zeros(3, 32)})
    assert "the classifier's weights cannot be read" in said
    path.write_bytes(b"no tensors")
    assert "the classifier's weights cannot be read" in refusal(folder)


def test_an_answer_that_is_no_number_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = vit(tmp_path / "vit") / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"classifier.bias": torch.full((2,), torch.nan)}, path, {"format": "pt"})
    said = refusal(tmp_path / "vit")
    assert said == f"the classifier vit cannot be asked (its answer is no number): {WAY_OUT}."


def test_too_little_memory_is_told(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import ViTForImageClassification

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nand more")

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried")

    for method in ("forward", "from_pretrained"):
        for fails in (full, refused):
            with monkeypatch.context() as patched:
                patched.setattr(ViTForImageClassification, method, fails)
                said = refusal(shelf / "vit")
            assert said.startswith("the classifier vit needs more memory than there is: name a")


def test_a_library_that_a_processor_needs_is_named(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("\nSomeImageProcessor requires the timm library. Look there.\n")

    monkeypatch.setattr("transformers.AutoImageProcessor.from_pretrained", absent)
    with pytest.raises(UserError) as refused:
        classifier(shelf / "vit")
    said = str(refused.value)
    assert "(SomeImageProcessor requires the timm library): install that one" in said
    assert "does without (ViT, Swin and ConvNeXt do)" in said and "\n" not in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_an_absent_device_is_refused_at_once(shelf: Path) -> None:
    with pytest.raises(UserError, match="finds no CUDA device"):
        PictureClassifier(shelf / "vit", "watermark", "cuda", way_out=WAY_OUT)
