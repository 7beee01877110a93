"""Grounding DINO and SAM behind the port of segmenters, on small random weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.vcd import grounded_sam
from mm_model.vcd.grounded_sam import GroundedSam
from mm_model.vcd.masks import NoMask
from tests.vcd import tiny_segmenters

pytestmark = pytest.mark.capability("prompt-to-segmentation", scale="L")

PIXELS = np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("segmenters")
    return tiny_segmenters.detector(place / "detector"), tiny_segmenters.sam(place / "sam")


@pytest.fixture(scope="module")
def segmenter(folders: tuple[Path, Path]) -> GroundedSam:
    return GroundedSam(*folders, "cup")


def test_a_mask_is_what_the_library_s_own_parts_say(
    folders: tuple[Path, Path], segmenter: GroundedSam
) -> None:
    """The best box of the words, and SAM's outline in it, step by step as the library shows it."""
    import transformers
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    picture = Image.fromarray(PIXELS)
    detector = transformers.GroundingDinoForObjectDetection.from_pretrained(folders[0])
    asks = transformers.AutoProcessor.from_pretrained(folders[0], backend="pil")
    assert isinstance(asks, transformers.GroundingDinoProcessor)
    given = asks(images=picture, text=[["Cup"]], return_tensors="pt")
    with torch.no_grad():
        boxes = asks.post_process_grounded_object_detection(
            detector(**given), threshold=0.25, target_sizes=[(40, 56)]
        )[0]
    assert len(boxes["scores"]) > 1, "several boxes, of which the best counts"
    best = boxes["boxes"][boxes["scores"].argmax()].tolist()
    shows = transformers.SamProcessor(SamImageProcessorPil.from_pretrained(folders[1]))
    seen = shows(images=picture, input_boxes=[[best]], return_tensors="pt")
    with torch.no_grad():
        told = transformers.SamModel.from_pretrained(folders[1])(
            pixel_values=seen["pixel_values"],
            input_boxes=seen["input_boxes"].float(),
            multimask_output=False,
        )
    masks = shows.post_process_masks(
        told.pred_masks, seen["original_sizes"], seen["reshaped_input_sizes"]
    )
    found = segmenter.predict(PIXELS, "cup")
    assert found.shape == (40, 56) and found.dtype == bool and 0 < found.mean() < 1
    assert np.array_equal(found, masks[0][0, 0].numpy())


def test_what_is_not_found_has_no_mask(
    segmenter: GroundedSam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounded_sam, "THRESHOLD", 1.0)
    with pytest.raises(NoMask, match="no cup is found in it"):
        segmenter.mask(Path("0.png"), PIXELS)
    monkeypatch.undo()
    nothing = np.zeros((40, 56), bool)
    monkeypatch.setattr(GroundedSam, "_outline", lambda *_: nothing)
    with pytest.raises(NoMask, match="nothing is outlined where the cup is found"):
        segmenter.mask(Path("0.png"), PIXELS)


@pytest.mark.parametrize(("which", "said"), [(0, "no Grounding DINO"), (1, "no SAM")])
def test_folders_that_were_changed_round_are_refused(
    folders: tuple[Path, Path], which: int, said: str
) -> None:
    wrong = list(folders)
    wrong[which] = folders[1 - which]
    with pytest.raises(UserError, match=said):
        GroundedSam(*wrong, "cup")


def test_weights_that_lack_a_tensor_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    place = Path(shutil.copytree(folders[1], tmp_path / "sam"))
    kept = load_file(place / "model.safetensors")
    kept.pop("mask_decoder.iou_token.weight")
    save_file(kept, place / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 tensors of the SAM are missing .*iou_token"):
        GroundedSam(folders[0], place, "cup")


@pytest.fixture
def line(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command on two photographs of a cup, in a root whose profile learns for two steps."""
    place = tmp_path / "root"
    (place / "profiles").mkdir(parents=True)
    for name in ("common.yaml", "tiny.yaml"):
        (place / "profiles" / name).write_bytes((root / "profiles" / name).read_bytes())
    small = "subject: {steps: 2, batch_size: 1, checkpoint_every: 2}\nrun: {threads: 1}\n"
    (place / "profiles" / "small.yaml").write_text(f"title: Small\nbase: tiny\n{small}")
    said = (root / "params.yaml").read_text().replace("profile: tiny", "profile: small")
    (place / "params.yaml").write_text(said)
    (place / "weights").symlink_to(root / "weights")
    (tmp_path / "cup").mkdir()
    for number in range(2):
        Image.fromarray(PIXELS).save(tmp_path / "cup" / f"{number}.png")
    monkeypatch.setenv("MM_ROOT", str(place))
    monkeypatch.chdir(tmp_path)
    return ["learn-subject", "my-cup", "cup", "--kind", "object", "--word", "cup"]


def test_a_subject_is_learned_where_its_word_is_found(
    line: list[str],
    folders: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    networks = ["--detector", str(folders[0]), "--sam", str(folders[1])]
    assert cli.main([*line, "--segment", "grounded-sam", *networks, "-o", "made"]) == 0, (
        capsys.readouterr().err
    )
    record = json.loads(Path("made/subject.json").read_text())
    assert record["masks"].startswith("grounded-sam (detector ")
    assert len(record["photographs"]) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--segment", "grounded-sam"], "needs --detector DIR and --sam DIR"),
        (["--sam", "sam"], "are for --segment grounded-sam"),
        (["--segment", "masks"], "needs --masks DIR"),
        (["--segment", "face"], "is for persons"),
        (["--segment", "matte"], "go together"),
        (["--segment", "matte", "--matte", "m.tflite"], "is for persons"),
        (["--segment", "none", "--masks", "cup"], "exclude each other"),
        (
            ["--segment", "grounded-sam", "--detector", "cup", "--sam", "cup"],
            "cup holds no config.json",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    line: list[str], more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line, *more]) == 1
    told = capsys.readouterr()
    assert said in told.err and "Traceback" not in told.err
