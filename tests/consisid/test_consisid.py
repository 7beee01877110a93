"""`generate --method consisid` on small random weights laid out like the published folder.

The encoders of faces are a stand-in: they need packages and files of gigabytes.
"""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mm_model.commands import cli
from mm_model.consisid import clips, faces
from mm_model.errors import UserError
from mm_model.vcd.animate import Take
from tests.consisid import tiny_consisid
from tests.vcd.test_learn_subject import said_of, tree

pytestmark = pytest.mark.capability("ConsisID", scale="L")

__all__ = ["tree"]  # a fixture

PROMPT = "a woman smiles"
SMALL = ["--steps", "2", "--seed", "3"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_consisid.checkpoint(tmp_path_factory.mktemp("consisid") / "checkpoint")


@pytest.fixture(scope="module")
def drawn(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of a drawn person."""
    folder = tmp_path_factory.mktemp("photographs") / "drawn"
    assert cli.main(["example-subject", "person", str(folder), "--number", "5"]) == 0
    return folder / "photos"


@pytest.fixture
def line(tree: Path, weights: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(faces, "PublishedFaces", tiny_consisid.StandInFaces)
    monkeypatch.setenv("MM_CONSENTS", str(tree / "consents.jsonl"))
    photograph = sorted(drawn.glob("*.png"))[0]
    said = ["--ref", str(photograph), "--consent", "synthetic:drawn", "--prompt", PROMPT]
    return ["generate", "--method", "consisid", "--weights", str(weights), *said, *SMALL]


def frames_of(path: str) -> np.ndarray:
    with av.open(path) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_a_clip_is_the_library_s_own(weights: Path, guidance: float) -> None:
    from diffusers import ConsisIDPipeline

    rng = np.random.default_rng(1)
    face = tiny_consisid.StandInFaces().read(rng.integers(0, 256, (48, 48, 3), np.uint8))
    ours = clips.load_consisid(weights, torch.device("cpu"), torch.float32)
    take = Take(PROMPT, 3, frames=9, height=32, width=32, steps=2, guidance=guidance)
    pipe = ConsisIDPipeline.from_pretrained(str(weights), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        image=face.picture,
        prompt=PROMPT,
        num_frames=9,
        height=32,
        width=32,
        num_inference_steps=2,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(3),
        id_cond=face.cond,
        id_vit_hidden=face.hidden,
        kps_cond=face.points,
        max_sequence_length=16,
        output_type="np",
    ).frames[0]
    made = ours.clip(take, face)
    assert np.array_equal(made, (theirs * 255).round().astype(np.uint8))
    other = tiny_consisid.StandInFaces().read(rng.integers(0, 256, (48, 48, 3), np.uint8))
    assert not np.array_equal(ours.clip(take, other), made), "the face is heard"


def test_a_clip_with_its_record_is_made_again(
    line: list[str], weights: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line, "-o", "her.mp4"]) == 0, said_of(capsys)
    told = said_of(capsys)
    assert "synthetic; say so" in told and told.splitlines()[-1].endswith("her.mp4")
    assert frames_of("her.mp4").shape == (9, 32, 32, 3)
    said = json.loads(Path("her.json").read_text())
    assert said["method"] == "consisid" and said["versions"]["facexlib"] == "a stand-in"
    assert said["digests"].keys() == {"weights", "facepack", "code"}
    assert said["arguments"]["consent"] == {"basis": "synthetic", "evidence": "drawn"}
    assert "synthetic:drawn" in (tree / "consents.jsonl").read_text()
    moved = Path(shutil.copytree(weights, "elsewhere"))
    again = ["generate", "--again", "her.json", "--weights", str(moved), "-o", "twin.mp4"]
    assert cli.main(again) == 0, said_of(capsys)
    assert "the same bytes" in said_of(capsys)
    assert Path("twin.mp4").read_bytes() == Path("her.mp4").read_bytes()
    (moved / "face_encoder" / "parsing_bisenet.pth").write_bytes(b"other")
    assert cli.main(again[:-2]) == 1
    assert "The weights is not the one that made the clip" in said_of(capsys)
    assert cli.main(["generate", "--again", "her.json", "--subject", "ada"]) == 1
    assert "made without --subject" in said_of(capsys)
    shots = [*line, "--prompt", "a woman nods", "--gamma", "0.9", "-o", "film.mp4"]
    assert cli.main(shots) == 0, said_of(capsys)
    assert frames_of("film.mp4").shape[0] == 18
    assert Path("film-shot1.mp4").read_bytes() != Path("her.mp4").read_bytes(), "gamma is heard"
    Path("orders.csv").write_text("name,prompt\nher,a woman smiles\nbad,a nude woman\n")
    at = line.index("--prompt")
    batch = [*line[:at], *line[at + 2 :], "--batch", "orders.csv", "-o", "."]
    assert cli.main(batch) == 1 and "0 made, 1 were there, 1 refused" in said_of(capsys)


REFUSED = [
    (["--prompt", "a naked woman"], "nudity"),
    (["--consent", "because"], "consent cannot be used"),
    (["--ref", "empty"], "holds no JPEG"),
    (["--ref", "cup"], "sees one photograph"),
    (["--ref", "cup/0.png"], "sees one photograph"),
    (["--frames", "10"], "10"),
    (["--size", "36x32"], "multiples of 16"),
    (["--steps", "0"], "0 steps"),
    (["--weights", "cup"], "cup is no ConsisID checkpoint (it lacks text_encoder"),
    (["--adapter", "3"], "--adapter belongs to --method magic-mirror"),
    (["--motion", "cup"], "--motion belongs to --method vcd"),
    (["--facepack", "gone"], "gone is no folder"),
    (["--frames", "1", "-o", "her.png"], "makes clips, not pictures"),
]


def test_what_cannot_be_is_one_sentence(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    for more, said in REFUSED:
        assert cli.main([*line, "-o", "new.mp4", *more]) == 1, more
        told = said_of(capsys)
        assert said in told and "Traceback" not in told, told
    left = [path for path in sorted(Path().rglob("*")) if path.name != "consents.jsonl"]
    assert left == before
    at = line.index("--ref")
    assert cli.main([*line[:at], *line[at + 2 :], "--ref", "cup/0.png", "-o", "new.mp4"]) == 1
    assert "shows no face" in said_of(capsys)


def test_absent_packages_and_files_are_said(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "PACKAGES", ("facexlib", "no_such_package"))
    with pytest.raises(UserError, match=r"no_such_package.*make consisid"):
        faces.refuse_absent(weights)
    monkeypatch.setattr(faces, "PACKAGES", ("torch",))
    with pytest.raises(UserError, match=r"detection_Resnet50_Final\.pth is missing"):
        faces.PublishedFaces(weights, torch.device("cpu"), torch.float32)
    other = Path(shutil.copytree(weights, tmp_path / "other"))
    (other / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "DDIMScheduler"}')
    with pytest.raises(UserError, match="is no scheduler of ConsisID"):
        clips.load_consisid(other, torch.device("cpu"), torch.float32)
