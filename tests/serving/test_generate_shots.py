"""`generate` with several sentences, with one frame, and with words that the model knows not."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mm_model.commands import cli
from mm_model.commands.generate import work
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.store import digests
from tests.serving.house import House
from tests.serving.test_generate import Command, asked, command, photographs, record_of, served
from tests.serving.test_generate_again import rewritten

__all__ = ["asked", "command", "photographs"]  # fixtures

SHOTS = ["--prompt", "a woman img nods", "--prompt", "a woman img smiles"]
"""Two more sentences, after that of `asked`."""


def frames_of(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def pixels_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    return np.stack(frames).astype(float)


@pytest.mark.capability("multi-shot", scale="T")
def test_several_sentences_are_shots_of_one_person_looked_at_once(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    enroll = MagicMirror.enroll

    def counted(self: MagicMirror, references: Any, *rest: Any) -> Any:
        looked.append(len(references))
        return enroll(self, references, *rest)

    monkeypatch.setattr(MagicMirror, "enroll", counted)
    status, out, err = command(*asked, *SHOTS, "-o", tmp_path / "film.mp4")
    assert status == 0, err
    assert looked == [2]
    shots = [tmp_path / f"film-shot{number}.mp4" for number in (1, 2, 3)]
    assert out.splitlines()[-4:] == [
        *(f"shot {number}: {path}" for number, path in enumerate(shots, start=1)),
        str(tmp_path / "film.mp4"),
    ]
    assert [frames_of(path) for path in shots] == [9, 9, 9]
    assert frames_of(tmp_path / "film.mp4") == 27
    film, each = pixels_of(tmp_path / "film.mp4"), [pixels_of(path) for path in shots]
    apart = [[np.abs(film[9 * n : 9 * n + 9] - one).mean() for one in each] for n in range(3)]
    assert [int(np.argmin(row)) for row in apart] == [0, 1, 2], "the shots come in their order"
    said = json.loads((tmp_path / "film.json").read_text())
    assert said["arguments"]["prompt"] == [asked[5], SHOTS[1], SHOTS[3]]
    assert said["shots_sha256"] == [digests.of_file(path) for path in shots]
    assert said["video_sha256"] == digests.of_file(tmp_path / "film.mp4")
    assert len({path.read_bytes() for path in shots}) == 3
    # each shot is the clip of its sentence and the seed, so a server makes the same ones
    alone = [*asked[:4], *SHOTS[:2], *asked[6:], "-o", tmp_path / "alone.mp4"]
    assert command(*alone)[0] == 0
    assert (tmp_path / "alone.mp4").read_bytes() == shots[1].read_bytes()


@pytest.mark.capability("multi-shot", scale="T")
def test_all_shots_are_made_again_and_none_is_replaced(
    command: Command, asked: list, tmp_path: Path
) -> None:
    (tmp_path / "film-shot2.mp4").write_text("mine")
    status, _, err = command(*asked, *SHOTS[:2], "-o", tmp_path / "film.mp4")
    assert status == 1 and "film-shot2.mp4 exists" in err
    (tmp_path / "film-shot2.mp4").unlink()
    assert command(*asked, *SHOTS[:2], "-o", tmp_path / "film.mp4")[0] == 0
    status, out, err = command("--again", tmp_path / "film.json", "-o", tmp_path / "twin.mp4")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err
    for end in (".mp4", "-shot1.mp4", "-shot2.mp4"):
        twin, first = (tmp_path / f"{name}{end}" for name in ("twin", "film"))
        assert twin.read_bytes() == first.read_bytes()
    said = json.loads((tmp_path / "film.json").read_text())
    said["shots_sha256"][1] = "0" * 64
    (tmp_path / "film.json").write_text(rewritten(said))
    status, _, err = command("--again", tmp_path / "film.json")
    assert status == 1 and "The bytes differ" in err
    assert command(*asked, "-o", tmp_path / "film.mp4", "--force")[0] == 0
    assert not (tmp_path / "film-shot1.mp4").exists(), "a shot of the clip that was replaced"
    assert (tmp_path / "film-shot2.mp4").exists(), "another one than that record told of"


@pytest.mark.capability("multi-shot", scale="T")
def test_every_sentence_is_held_to_the_rules_before_work(
    command: Command, asked: list, tmp_path: Path
) -> None:
    for prompt, word in (("a nude woman", "--prompt asks for nudity"), ("mountains", "subject")):
        status, _, err = command(*asked, "--prompt", prompt, "-o", tmp_path / "film.mp4")
        assert status == 1 and word in err
    assert not list(tmp_path.iterdir())


@pytest.mark.capability("pictures", scale="T")
def test_one_frame_is_a_picture(command: Command, asked: list, tmp_path: Path) -> None:
    status, out, err = command(*asked, "-o", tmp_path / "her.png")
    assert status == 0, err
    assert out.splitlines()[-1] == str(tmp_path / "her.png")
    with Image.open(tmp_path / "her.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 64))
    said = json.loads((tmp_path / "her.json").read_text())
    assert (said["kind"], said["arguments"]["num_frames"]) == ("picture", 1)
    status, out, err = command("--again", tmp_path / "her.json", "-o", tmp_path / "twin.png")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err
    assert (tmp_path / "twin.png").read_bytes() == (tmp_path / "her.png").read_bytes()
    status, _, err = command("--again", tmp_path / "her.json", "-o", tmp_path / "twin.mp4")
    assert status == 1 and "ends in .png" in err


@pytest.mark.capability("pictures", scale="T")
def test_pictures_of_several_sentences_stand_side_by_side(
    command: Command, asked: list, tmp_path: Path
) -> None:
    assert command(*asked, *SHOTS[:2], "--frames", 1, "-o", tmp_path / "row.png")[0] == 0
    row = np.asarray(Image.open(tmp_path / "row.png"))
    parts = [np.asarray(Image.open(tmp_path / f"row-shot{n}.png")) for n in (1, 2)]
    assert np.array_equal(row, np.concatenate(parts, 1))


@pytest.mark.capability("pictures", scale="T")
def test_a_picture_is_not_named_as_a_clip_nor_a_clip_as_a_picture(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_made", None)  # work would fail
    status, _, err = command(*asked, "--frames", 1, "-o", tmp_path / "her.mp4")
    assert status == 1 and "One frame is a picture" in err and "ends in .png" in err
    status, _, err = command(*asked, "--frames", 9, "-o", tmp_path / "her.png")
    assert status == 1 and "her.png is the name of a picture" in err and "--frames" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.capability("pictures", scale="T")
def test_a_clip_of_one_frame_of_before_is_made_again(
    command: Command, asked: list, photographs: list[Path], served_house: House, tmp_path: Path
) -> None:
    """Its record says nothing of its kind: it was an MP4, as a server still gives one."""
    reply = served(served_house).answer(record_of(photographs) | {"num_frames": 1})
    video = base64.b64decode(reply["video_mp4"])
    assert command(*asked, "-o", tmp_path / "her.png")[0] == 0
    assert base64.b64decode(reply["picture_png"]) == (tmp_path / "her.png").read_bytes()
    said = json.loads((tmp_path / "her.json").read_text())
    del said["kind"], said["shots_sha256"]
    said["video_sha256"] = digests.of_bytes(video)
    (tmp_path / "old.json").write_text(rewritten(said))
    status, out, err = command("--again", tmp_path / "old.json")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err


@pytest.mark.capability("pictures", scale="T")
def test_the_picture_of_a_reply_is_kept(tmp_path: Path, capsys: Any) -> None:
    content = {"video_mp4": base64.b64encode(b"film").decode(), "seed": 3}
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    picture = {"picture_png": base64.b64encode(buffer.getvalue()).decode()}
    for name, said in (("clip", content), ("one", content | picture)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"predictions": [said]}))
    assert cli.main(["save-reply", str(tmp_path / "one.json"), str(tmp_path / "her.png")]) == 0
    assert (tmp_path / "her.png").read_bytes() == buffer.getvalue()
    assert json.loads(capsys.readouterr().out) == {"seed": 3}
    assert cli.main(["save-reply", str(tmp_path / "clip.json"), str(tmp_path / "no.png")]) == 1
    assert "the reply is a clip" in capsys.readouterr().err
    assert not (tmp_path / "no.png").exists()


@pytest.mark.capability("unknown words", scale="T")
def test_words_that_the_text_encoder_does_not_know_are_told_before_work(
    command: Command, photographs: list[Path], served_house: House, tmp_path: Path
) -> None:
    prompt = "a woman img smiles, art"
    rest = ["--prompt", prompt, *"--steps 1 --consent synthetic:drawn-1".split()]
    status, out, err = command("--ref", photographs[0], *rest, "-o", tmp_path / "clip.mp4")
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "letter by letter" in line]
    assert "letter by letter: art; all that it knows: " in line and "smiles" in line
    reply = served(served_house).answer(record_of(photographs[:1]) | {"prompt": prompt})
    (note,) = [note for note in reply["notes"] if "does not know" in note]
    assert note.endswith(": 1.") and "art" not in note
    assert note in json.loads((tmp_path / "clip.json").read_text())["notes"]
