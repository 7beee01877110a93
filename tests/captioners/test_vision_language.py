"""Models of three families caption from a folder, a batch like each file alone; what is wrong is
one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.captioners import vision_language
from mm_model.captioners.port import Asking, Uncaptioned
from mm_model.captioners.table import open_captioner
from mm_model.captioners.vision_language import VisionLanguage
from mm_model.errors import UserError
from mm_model.media.encode import write_mp4
from mm_model.settings.device import device_named
from tests.captioners.made import FAMILIES, llava

pytestmark = pytest.mark.capability("captioner", scale="L")


def asking(**changed: object) -> Asking:
    said = {
        "prompt": "Describe this picture.",
        "clip_prompt": "Describe these frames.",
        "frames": 3,
        "batch": 3,
        "tokens": 12,
        "device": "cpu",
        "dtype": "float32",
    }
    return Asking(**said | changed)


def scenery(seed: int, width: int = 96, height: int = 96) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Uncaptioned]:
    """Photographs of several shapes, a clip of few frames and a longer one."""
    folder = tmp_path_factory.mktemp("files")
    found = []
    for seed, size in enumerate([(96, 96), (128, 64), (64, 128), (96, 80), (40, 40)]):
        path = folder / f"{seed}.png"
        Image.fromarray(scenery(seed, *size)).save(path)
        found.append(Uncaptioned(path, "image"))
    for seed, frames in ((8, 2), (9, 12)):
        path = folder / f"{seed}.mp4"
        wide = scenery(seed, 256, 96)
        write_mp4(path, np.stack([wide[:, i * 8 : i * 8 + 96] for i in range(frames)]), 8)
        found.insert(2, Uncaptioned(path, "clip", frames))
    return found


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    for name, make in FAMILIES.items():
        make(folder / name)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_captioned_as_each_file_alone(
    shelf: Path, files: list[Uncaptioned], family: str
) -> None:
    together = VisionLanguage(shelf / family, asking()).captions(files)
    alone = VisionLanguage(shelf / family, asking(batch=1))
    assert together == [alone.captions([one])[0] for one in files]
    assert all(said["origin"] == "model" for said in together)
    words = [said["text"] for said in together]
    assert len(set(words)) == len(files), "what is said follows from what is shown"
    assert all(1 <= len(text.split()) <= 12 for text in words)
    assert "Describe" not in " ".join(words) and "ASSISTANT" not in " ".join(words)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_is_shown_as_frames_spread_over_it(
    shelf: Path, files: list[Uncaptioned], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[int]]] = []

    def answers(self: VisionLanguage, prompt: str, shown: list) -> list[str]:
        asked.append((prompt, [len(one) for one in shown]))
        return ["a man waves"] * len(shown)

    monkeypatch.setattr(VisionLanguage, "_answers", answers)
    read, frames = [], vision_language.read_frames

    def noted(path: Path, places: list[int]) -> np.ndarray:
        read.append(places)
        return frames(path, places)

    monkeypatch.setattr(vision_language, "read_frames", noted)
    VisionLanguage(shelf / family, asking()).captions(files)
    assert asked == [
        ("Describe this picture.", [1, 1, 1]),
        ("Describe this picture.", [1, 1]),
        ("Describe these frames.", [3, 2]),
    ]
    assert read == [[2, 6, 10], [0, 1]]


def test_what_cannot_be_seen_is_told_and_the_others_are_captioned(
    shelf: Path, files: list[Uncaptioned], tmp_path: Path
) -> None:
    broken = Uncaptioned(tmp_path / "gone.png", "image")
    good, bad = VisionLanguage(shelf / "llava", asking()).captions([files[0], broken])
    assert good["origin"] == "model"
    assert bad["problem"] == "CAPTION_UNREADABLE" and "no picture of it" in bad["message"]


def test_an_empty_answer_is_a_problem(
    shelf: Path, files: list[Uncaptioned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VisionLanguage, "_answers", lambda self, prompt, shown: [" \n"])
    (said,) = VisionLanguage(shelf / "llava", asking()).captions(files[:1])
    assert said == {
        "problem": "CAPTION_EMPTY",
        "message": "the answer of llava holds no visible text",
    }


def test_the_record_names_the_very_weights(shelf: Path, tmp_path: Path) -> None:
    known = VisionLanguage(shelf / "llava", asking()).describe()
    copy = Path(shutil.copytree(shelf / "llava", tmp_path / "llava"))
    assert VisionLanguage(copy, asking()).describe() == known
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    other = VisionLanguage(copy, asking(prompt="Who?")).describe()
    assert other["digest"] != known["digest"] and other["prompt"] == "Who?"
    assert (known["name"], known["kind"], known["dtype"]) == ("llava", "llava", "float32")


def test_bfloat16_is_the_dtype_that_computes(shelf: Path, files: list[Uncaptioned]) -> None:
    model = VisionLanguage(shelf / "llava", asking(dtype="bfloat16"))
    (said,) = model.captions(files[:1])
    assert said["text"] and model._model.dtype == torch.bfloat16


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def of_kind(kind: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": kind}))

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_pictures(folder: Path) -> None:
    (folder / "processor_config.json").unlink()


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (without("config.json"), "holds no config.json that says model_type"),
    "a language model": (of_kind("llama"), "'llama', which is no vision-language model"),
    "code of its own": (of_kind("minigemini"), "code of a model's own is never run"),
    "a kind that is no word": (of_kind([1]), "which is no vision-language model"),
    "a pickle": (pickled, "holds no weights in safetensors"),
    "no processor": (no_pictures, "processor"),
    "no tokenizer": (without("tokenizer.json"), "its processor cannot be opened"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_folder_that_is_no_captioner_is_refused_in_one_sentence(
    shelf: Path, tmp_path: Path, what: str
) -> None:
    change, said = WRONG[what]
    change(Path(shutil.copytree(shelf / "llava", tmp_path / "broken")))
    with pytest.raises(UserError) as refused:
        open_captioner("broken", tmp_path, asking(), "ingest.captioner")
    text = str(refused.value)
    assert said in text and "broken" in text and "\n" not in text
    assert "set ingest.captioner and ingest.clip_captioner to sidecar" in text


def test_a_name_that_is_not_on_the_shelf_is_told_with_those_that_are(shelf: Path) -> None:
    with pytest.raises(UserError) as refused:
        open_captioner("cogvlm", shelf, asking(), "ingest.clip_captioner")
    said = str(refused.value)
    assert said.startswith("ingest.clip_captioner is cogvlm, and no folder of that name")
    assert "it holds idefics3, llava, paligemma" in said and "set it to sidecar" in said


def test_a_link_on_the_shelf_is_refused(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "llava").symlink_to(shelf / "llava")
    with pytest.raises(UserError, match="is a link, and nobody would see"):
        open_captioner("llava", tmp_path, asking(), "ingest.captioner")


def test_a_library_that_a_processor_needs_is_named(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("\nSomeVideoProcessor requires the Torchvision library. Look there.\n")

    monkeypatch.setattr("transformers.AutoProcessor.from_pretrained", absent)
    with pytest.raises(UserError) as refused:
        VisionLanguage(shelf / "llava", asking())
    said = str(refused.value)
    assert "(SomeVideoProcessor requires the Torchvision library): install that one" in said
    assert "\n" not in said and "Look there" not in said


def refusal(folder: Path, files: list[Uncaptioned], **changed: object) -> str:
    with pytest.raises(UserError) as refused:
        VisionLanguage(folder, asking(**changed)).captions(files)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_weights_that_lack_a_tensor_are_refused(
    shelf: Path, files: list[Uncaptioned], tmp_path: Path
) -> None:
    """The library alone would draw it at random and go on."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(shelf / "llava", tmp_path / "llava"))
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "vision_tower" in name and name.endswith("weight"))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    said = refusal(folder, files)
    assert "1 tensors of the captioner are missing" in said and "vision_tower" in said
    (folder / "model.safetensors").write_bytes(b"no tensors")
    assert "weights cannot be read" in refusal(folder, files)


def test_too_little_memory_is_told_with_what_to_lower(
    shelf: Path, files: list[Uncaptioned], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nand more")

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried")

    from transformers import LlavaForConditionalGeneration

    for fails in (full, refused):
        monkeypatch.setattr(LlavaForConditionalGeneration, "generate", fails)
        said = refusal(shelf / "llava", files)
        assert "needs more memory than there is: lower ingest.caption_batch" in said


def test_a_model_that_cannot_be_asked_says_how_many_pictures_it_was_shown(
    shelf: Path, files: list[Uncaptioned], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlavaProcessor

    def one_only(self: object, *_: object, **__: object) -> None:
        raise ValueError("at most one image")

    monkeypatch.setattr(LlavaProcessor, "apply_chat_template", one_only)
    said = refusal(shelf / "llava", files[2:3])
    assert "asked about 3 pictures at once (at most one image)" in said
    assert "lower ingest.caption_frames" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_an_absent_device_is_refused(shelf: Path, files: list[Uncaptioned]) -> None:
    assert "finds no CUDA device" in refusal(shelf / "llava", files[:1], device="cuda")
    assert device_named("auto") == torch.device("cpu")


def test_nothing_of_a_captioner_is_loaded_before_it_is_asked(tmp_path: Path) -> None:
    assert llava(tmp_path / "llava")
    model = VisionLanguage(tmp_path / "llava", asking())
    assert model._model is None
    assert model.captions([]) == [] and model._model is None
