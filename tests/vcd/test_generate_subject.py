"""`generate` of a learned subject, as somebody gives it; and the same again."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mm_model.commands import cli
from mm_model.vcd.tokens import IdTokens
from tests.vcd import original, tiny_sd
from tests.vcd.test_learn_subject import said_of, tree, weights

pytestmark = pytest.mark.capability("clips of a subject", scale="L")

__all__ = ["tree", "weights"]  # fixtures

SMALL = ["--steps", "2", "--frames", "4", "--size", "32x32", "--seed", "3"]


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd.motion(tmp_path_factory.mktemp("motion") / "module")


def keep(folder: Path, weights: Path, kind: str = "object", consent: str | None = None) -> Path:
    """What learn-subject writes, of random tokens."""
    tokens = IdTokens("<my-cup>", torch.randn(2, tiny_sd.WIDTH, generator=torch.manual_seed(1)))
    return tiny_sd.subject(folder, weights, tokens, "cup", kind=kind, consent=consent)


@pytest.fixture
def subject(tree: Path, weights: Path) -> Path:
    return keep(tree / "work" / "small" / "subjects" / "my-cup", weights)


@pytest.fixture
def line(subject: Path, motion: Path) -> list[str]:
    sentence = ["--prompt", "a photo of a cup on the beach"]
    return ["generate", "--subject", "my-cup", "--motion", str(motion), *sentence, *SMALL]


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


def test_a_clip_is_made_with_a_record_and_made_again(
    line: list[str], subject: Path, motion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line, "-o", "cup.mp4"]) == 0, said_of(capsys)
    told = said_of(capsys)
    assert "read as: a photo of a <my-cup> cup on the beach" in told
    assert "synthetic; say so" in told and told.splitlines()[-1].endswith("cup.mp4")
    assert frames_of(Path("cup.mp4")).shape == (4, 32, 32, 3)
    said = json.loads(Path("cup.json").read_text())
    assert said["method"] == "vcd" and said["fps"] == 8
    assert said["digests"].keys() == {"subject", "weights", "motion", "code"}
    assert said["arguments"]["numbers"] == {
        "num_frames": 4,
        "num_inference_steps": 2,
        "seed": 3,
        "height": 32,
        "width": 32,
        "guidance_scale": 8.0,
        "noise_prior_gamma": 0.0,
    }
    assert cli.main(["generate", "--again", "cup.json"]) == 0
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    moved = Path(shutil.copytree(motion, "elsewhere"))
    again = ["generate", "--again", "cup.json", "--motion", str(moved), "-o", "twin.mp4"]
    assert cli.main(again) == 0, said_of(capsys)
    assert Path("twin.mp4").read_bytes() == Path("cup.mp4").read_bytes()
    assert json.loads(Path("twin.json").read_text())["arguments"]["motion"] == str(moved.resolve())


def test_shots_a_picture_and_what_changes_a_clip(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    nods = ["--prompt", "a <my-cup> cup nods"]
    assert cli.main([*line, *nods, "-o", "film.mp4"]) == 0, said_of(capsys)
    assert len(frames_of(Path("film.mp4"))) == 8
    first, second = (Path(f"film-shot{n}.mp4").read_bytes() for n in (1, 2))
    assert first != second
    at = line.index("--frames")
    assert cli.main([*line[:at], *line[at + 2 :], "-o", "cup.png"]) == 0, said_of(capsys)
    assert Image.open("cup.png").size == (32, 32)
    for number, changed in enumerate((["--gamma", "0.9"], ["--seed", "4"], ["--guidance", "3"])):
        assert cli.main([*line, *changed, "-o", f"{number}.mp4"]) == 0, said_of(capsys)
        assert Path(f"{number}.mp4").read_bytes() != first


def test_another_checkpoint_shows_the_same_subject(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_sd.checkpoint(tmp_path / "other", seed=5)
    assert cli.main([*line, "-o", "one.mp4"]) == 0
    assert cli.main([*line, "--weights", str(other), "-o", "two.mp4"]) == 0, said_of(capsys)
    assert Path("one.mp4").read_bytes() != Path("two.mp4").read_bytes()
    assert json.loads(Path("two.json").read_text())["arguments"]["weights"] == str(other)


def test_without_numbers_it_is_the_checkpoint_s_own_size_and_sixteen_frames(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    short = [*line[: line.index("--steps")], "--steps", "1", "--seed", "3"]
    assert cli.main([*short, "-o", "own.mp4"]) == 0, said_of(capsys)
    assert frames_of(Path("own.mp4")).shape == (16, tiny_sd.SIZE, tiny_sd.SIZE, 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--subject", "nobody"], "nobody is no learned subject (there are my-cup)"),
        (["--ref", "a.jpg"], "--ref belongs to --method magic-mirror"),
        (["--adapter", "3"], "--adapter belongs to --method magic-mirror"),
        (["--method", "magic-mirror"], "--subject belongs to --method vcd"),
        (["--prompt", "a dog"], "says neither <my-cup> nor cup"),
        (["--prompt", "a naked cup"], "nudity"),
        (["--gamma", "1.5"], "gamma is 1.5"),
        (["--seed", str(2**70)], "give 0 to 4294967295"),
        (["--steps", "0"], "0 steps"),
        (["--guidance", "nan"], "guidance is nan"),
        (["--frames", "40"], "makes 1 to 16"),
        (["--size", "33x32"], "multiples of"),
        (["--weights", "nowhere"], "nowhere is no Stable Diffusion checkpoint"),
        (["--motion", "nowhere"], "nowhere is not there"),
        (["-o", "cup.gif"], "cup.gif is no name of a clip"),
        (["-o", "there.mp4"], "there.mp4 exists"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    line: list[str], more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there.mp4").write_text("mine")
    before = sorted(Path().rglob("*"))
    assert cli.main([*line, "-o", "new.mp4", *more]) == 1
    told = said_of(capsys)
    assert said in told and "Traceback" not in told
    assert sorted(Path().rglob("*")) == before


def test_a_damaged_subject_is_refused(
    line: list[str], subject: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = IdTokens("<my-cup>", torch.zeros(2, tiny_sd.WIDTH))
    other.save(subject / "tokens.safetensors")
    assert cli.main([*line, "-o", "cup.mp4"]) == 1
    assert "is not the file that was learned" in said_of(capsys)
    (subject / "subject.json").write_text("{}")
    assert cli.main([*line, "-o", "cup.mp4"]) == 1
    assert "holds no whole subject" in said_of(capsys)


def test_a_person_s_rules_hold_and_the_consent_is_stated(
    line: list[str],
    tree: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    person = keep(tree / "ada", weights, "person", "self:me")
    monkeypatch.setenv("MM_CONSENTS", str(tree / "consents.jsonl"))
    line[2] = str(person)
    assert cli.main([*line, "--prompt", "a cup of a child", "-o", "a.mp4"]) == 1
    assert "prompt asks for a child" in said_of(capsys)
    assert cli.main([*line, "-o", "a.mp4"]) == 0, said_of(capsys)
    assert "self:me" in (tree / "consents.jsonl").read_text()


def test_a_record_says_when_a_part_is_another(
    line: list[str], weights: Path, subject: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line, "-o", "cup.mp4"]) == 0
    other = tiny_sd.motion(Path("other").absolute(), seed=9)
    assert cli.main(["generate", "--again", "cup.json", "--motion", str(other)]) == 1
    assert "The motion is not the one that made the clip" in said_of(capsys)
    assert cli.main(["generate", "--again", "cup.json", "--ref", "a.jpg"]) == 1
    assert "made without --ref" in said_of(capsys)
    text = json.loads(Path("cup.json").read_text())
    text["arguments"]["numbers"]["seed"] = 9
    Path("cup.json").write_text(json.dumps(text))
    assert cli.main(["generate", "--again", "cup.json"]) == 1
    assert "was changed after it was written" in said_of(capsys)


def test_what_the_embedded_default_learned_is_shown_without_more_weights(
    tree: Path, motion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From drawing photographs to the clip, by nothing but the project's own backbone."""
    assert cli.main(["example-subject", "cup", "drawn", "--number", "5", "--size", "64"]) == 0
    learn = ["learn-subject", "my-cup", "drawn/photos", "--kind", "object", "--word", "cup"]
    assert cli.main([*learn, "--masks", "drawn/masks"]) == 0, said_of(capsys)
    learned = json.loads((tree / "work/small/subjects/my-cup/subject.json").read_text())
    assert learned["family"] == "cogvideox" and learned["settings"]["tokens"] == 3
    shown = ["generate", "--subject", "my-cup", "--prompt", "photo of a cup", "--seed", "3"]
    assert cli.main([*shown, "--steps", "2", "-o", "cup.mp4"]) == 0, said_of(capsys)
    frames = frames_of(Path("cup.mp4"))
    assert frames.shape == (9, 64, 64, 3)
    said = json.loads(Path("cup.json").read_text())
    assert said["arguments"]["motion"] is None and said["digests"].keys() == {
        "subject",
        "weights",
        "code",
    }
    assert cli.main(["generate", "--again", "cup.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    still = [*shown, "--steps", "2", "--gamma", "0.9", "-o", "still.mp4"]
    assert cli.main(still) == 0, said_of(capsys)
    moved = [
        np.abs(np.diff(f.astype(float), axis=0)).mean()
        for f in (frames, frames_of(Path("still.mp4")))
    ]
    assert moved[1] < moved[0]
    assert cli.main([*shown, "--motion", str(motion), "-o", "no.mp4"]) == 1
    assert "moves by itself" in said_of(capsys)
    refine = [*shown, "--steps", "4", "--frames", "1", "--refine", "face,tiled", "-o", "large.png"]
    assert cli.main(refine) == 0, said_of(capsys)
    assert Image.open("large.png").size == (128, 128)
    large = json.loads(Path("large.json").read_text())
    assert large["arguments"]["refine"] == "face,tiled" and "facepack" in large["digests"]
    assert cli.main(["generate", "--again", "large.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    assert cli.main([*shown, "--frames", "10", "-o", "no.mp4"]) == 1
    assert "10" in said_of(capsys) and not Path("no.mp4").exists()


def test_a_subject_of_stable_diffusion_needs_a_motion_module(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    at = line.index("--motion")
    assert cli.main([*line[:at], *line[at + 2 :], "-o", "cup.mp4"]) == 1
    assert "motion module with --motion" in said_of(capsys)


def test_a_clip_is_refined_and_the_record_says_how(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line, "--steps", "5", "--refine", "face,tiled", "-o", "large.mp4"]) == 0, (
        said_of(capsys)
    )
    assert frames_of(Path("large.mp4")).shape == (4, 64, 64, 3)
    said = json.loads(Path("large.json").read_text())
    assert said["arguments"]["refine"] == "face,tiled" and "facepack" in said["digests"]
    assert any(note.startswith("face: ") for note in said["notes"]), "noise shows nobody"
    assert cli.main(["generate", "--again", "large.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    assert cli.main([*line, "--refine", "hair", "-o", "no.mp4"]) == 1
    assert "'hair' is no way to refine" in said_of(capsys)


def test_what_lies_beside_the_weights_that_are_read_changes_nothing(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Published folders hold their weights several times: as pickles, halved, and before EMA."""
    full = tiny_sd.checkpoint(tmp_path / "full")
    line = [*line, "--weights", str(full)]
    for name in (
        "unet/diffusion_pytorch_model",
        "text_encoder/model",
        "vae/diffusion_pytorch_model",
    ):
        whole = (full / f"{name}.safetensors").read_bytes()
        for beside in (".bin", ".fp16.safetensors", ".non_ema.safetensors"):
            (full / f"{name}{beside}").write_bytes(whole[:-8] if "fp16" in beside else whole)
    assert cli.main([*line, "-o", "cup.mp4"]) == 0, said_of(capsys)
    said_of(capsys)
    for path in full.rglob("*.bin"):
        path.unlink()
    (full / "unet" / "diffusion_pytorch_model.fp16.safetensors").unlink()
    assert cli.main(["generate", "--again", "cup.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    gone = ["generate", "--again", "cup.json", "--motion", "nowhere"]
    assert cli.main(gone) == 1 and "nowhere is not there" in said_of(capsys)


@pytest.mark.parametrize("half", [True, False])
def test_half_precision_is_read_where_the_plain_weights_are_not_there(
    line: list[str], tmp_path: Path, half: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    full = tiny_sd.checkpoint(tmp_path / "full")
    for path in (*full.rglob("*.safetensors"),):
        end = ".fp16.safetensors" if half else ".non_ema.safetensors"
        path.rename(path.with_name(path.name.replace(".safetensors", end)))
        if half:
            (path.with_name(path.name.replace(".safetensors", ".non_ema.safetensors"))).touch()
    status = cli.main([*line, "--weights", str(full), "-o", "cup.mp4"])
    told = said_of(capsys)
    assert (status, "Traceback" in told) == (0 if half else 1, False), told
    assert half or "could not be loaded from safetensors files" in told


def test_a_checkpoint_in_one_file_shows_what_its_folder_shows(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_sd.checkpoint(tmp_path / "other", seed=5)
    file = original.one_file(other, tmp_path / "other.safetensors")
    assert cli.main([*line, "--weights", str(other), "-o", "one.mp4"]) == 0, said_of(capsys)
    assert cli.main([*line, "--weights", str(file), "-o", "two.mp4"]) == 0, said_of(capsys)
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    said_of(capsys)
    assert cli.main(["generate", "--again", "two.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"


def test_a_file_that_is_no_whole_checkpoint_is_refused(
    line: list[str], tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_file(original.one_file(weights, tmp_path / "whole.safetensors"))
    middle = "cond_stage_model.transformer.encoder.layers.0.layer_norm2.weight"
    wrong = {
        "unet": [name for name in whole if name.endswith("out.2.bias")],
        "text": [name for name in whole if name.endswith(middle.rpartition("encoder")[2])],
        "vae": [name for name in whole if name.startswith("first_stage_model.")],
    }
    for kind, lacking in wrong.items():
        assert lacking
        file = tmp_path / f"{kind}.safetensors"
        save_file({k: v for k, v in whole.items() if k not in lacking}, file)
        assert cli.main([*line, "--weights", str(file), "-o", "no.mp4"]) == 1
        assert f"{kind}.safetensors is no whole checkpoint" in said_of(capsys)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:999])
    (tmp_path / "old.ckpt").write_bytes(b"a pickle")
    for name, said in (("cut.safetensors", "no whole checkpoint"), ("old.ckpt", "is a pickle")):
        assert cli.main([*line, "--weights", str(tmp_path / name), "-o", "no.mp4"]) == 1
        told = said_of(capsys)
        assert said in told and "Traceback" not in told
    assert not Path("no.mp4").exists()
