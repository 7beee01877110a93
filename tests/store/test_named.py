"""A path that somebody names and that cannot be used: one sentence, at every command."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from mm_model.errors import UserError, of_machine
from mm_model.store import named

LONG = "n" * 300
GOOD = json.dumps({"predictions": [{"video_mp4": base64.b64encode(b"film").decode(), "seed": 3}]})


@pytest.fixture
def say(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """`say(command, ...)` in a folder of strange files: its status and its one line of error."""
    monkeypatch.setenv("MM_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(root / "profiles", tmp_path / "profiles")
    shutil.copyfile(root / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "file.mp4").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "good.json").write_text(GOOD)
    (tmp_path / "hers").mkdir()
    (tmp_path / "hers" / "consent.yaml").write_text("[" * 100_000)

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = cli.main(arguments)
        return status, capsys.readouterr().err

    return run


BAD = {
    "nothere.json": "it is not there",
    "folder": "it is a folder",
    LONG: "its name is too long",
    "loop": "links lead in a circle",
    "file.mp4/x.json": "a file lies where a folder is needed",
    "": "An empty text is no path",
    "~nobody-of-this-name/x.json": "a home folder that is not",
}


@pytest.mark.parametrize("place", BAD)
def test_a_file_that_is_read(say: Any, place: str) -> None:
    for arguments in (["save-reply", place, "x.mp4"], ["generate", "--again", place]):
        status, err = say(*arguments)
        assert status == 1 and err.startswith("Stopped: ") and len(err.splitlines()) == 1
        assert BAD[place] in err and "move it away" not in err
    assert not Path("x.mp4").exists()


@pytest.mark.parametrize(
    "place",
    [
        "file.mp4/foo.mp4",
        "file.mp4/a/b/foo.mp4",
        "folder",
        LONG + ".mp4",
        "n" * 252 + ".mp4",
        "loop/foo.mp4",
        "",
    ],
)
def test_a_file_that_is_written(say: Any, place: str) -> None:
    before = sorted(path.name for path in Path().iterdir())
    status, err = say("save-reply", "good.json", place)
    assert status == 1 and err.startswith("Stopped: ") and len(err.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == before
    assert Path("file.mp4").read_text() == "mine"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[]", "nonsense", "1", ""])
def test_a_reply_that_is_none(say: Any, text: str) -> None:
    Path("reply.json").write_text(text)
    status, err = say("save-reply", "reply.json", "x.mp4")
    assert status == 1 and err.startswith("Stopped: The reply ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["use", "--sources", LONG, "--facepack", "folder", "--consent", "self:me"],
        ["use", "--sources", "loop", "--facepack", "folder", "--consent", "self:me"],
        ["use", "--sources", "~nobody-of-this-name", "--facepack", "folder"],
        ["use", "--sources", "folder", "--facepack", LONG],
        ["use", "--sources", "folder", "--facepack", "loop"],
        ["use", "--sources", "hers", "--facepack", "folder"],
        ["use", "--profile", LONG],
        ["status", "--profile", LONG],
        ["generate", "--ref", LONG, "--prompt", "a man smiles"],
        ["generate", "--ref", "loop", "--prompt", "a man smiles"],
        ["generate", "--ref", "folder", "--prompt", "a man smiles", "--adapter", LONG],
        ["generate", "--ref", "folder", "--prompt", "a man smiles", "--adapter", "loop"],
        ["generate", "--ref", "folder", "--prompt", "a man smiles", "-o", "loop/x.mp4"],
        ["timelapse", "file.mp4/x.webp"],
        ["timelapse", ""],
        ["catalogue", "--url", "sqlite:///nowhere/c.db"],
        ["catalogue", "--url", LONG],
        ["serve", "--alias", LONG],
    ],
)
def test_every_command_has_one_sentence(say: Any, arguments: list[str]) -> None:
    status, err = say(*arguments)
    assert status == 1 and err.startswith("Stopped: ") and len(err.splitlines()) == 1, err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a system without /proc")
def test_a_folder_is_not_put_where_nothing_can_be(say: Any, root: Path) -> None:
    source = root / "weights" / "tiny" / "backbone"
    status, err = say("import", "cogvideox", str(source), "--to", "/proc/backbone")
    assert status == 1 and err.startswith("Stopped: /proc/backbone cannot be made"), err


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="a system without /sys")
@pytest.mark.parametrize("command", ["import", "example-subject"])
def test_where_a_folder_is_denied_its_name_is_the_one_that_was_given(
    say: Any, root: Path, command: str
) -> None:
    source = str(root / "weights" / "tiny" / "backbone")
    words = {"import": ("cogvideox", source, "--to"), "example-subject": ("cup",)}[command]
    status, err = say(command, *words, "/sys/made")
    assert status == 1 and err.startswith("Stopped: /sys/made: "), err
    assert "denied" in err or "read-only" in err


def test_a_name_for_a_moment_is_said_as_the_given_one() -> None:
    for failed, told in (
        ("/full/.made.x1y2/vae/part", "/full/made: the disk is full"),
        ("/full/.made.x1y2", "/full/made: the disk is full"),
        ("/full/.other.x1y2", "/full/.other.x1y2: the disk is full"),
        (None, "the disk is full"),
    ):
        below = OSError(28, "No space left on device", failed)
        error = RuntimeError("a library's words")
        error.__cause__ = below
        said = of_machine(named.as_given(error, ["/full/made", "", "a man"]))
        assert str(said).startswith(told), said


def test_a_film_that_cannot_be_written(
    say: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import numpy as np

    from mm_model.report import timelapse

    clip = np.zeros((3, 64, 64, 3), np.uint8)
    shown = [timelapse.Moment("step 0", [clip])]
    monkeypatch.setattr(timelapse, "moments", lambda _: (clip[:1], shown))
    for place in ("file.mp4/x.webp", "n" * 252 + ".webp", LONG + ".gif"):
        status, err = say("timelapse", place)
        assert status == 1 and err.startswith("Stopped: ") and "name another" in err
    assert say("timelapse", "new/x.webp")[0] == 0


def test_only_what_was_named_is_the_user_s_fault(tmp_path: Path) -> None:
    own = FileNotFoundError(2, "No such file or directory", str(tmp_path / "ours" / "table"))
    assert named.fault(own, [str(tmp_path / "theirs"), "a man smiles", ""]) is None
    assert named.fault(own, [tmp_path / "ours"]) is not None
    assert named.fault(OSError(28, "full", str(tmp_path / "ours")), [tmp_path / "ours"]) is None
    assert named.fault(ValueError("x"), ["x"]) is None
    aside = FileNotFoundError(2, "No such file or directory", "/proc/.made.x1y2")
    told = named.fault(aside, [Path("/proc/made")])  # a name that nobody gave is not said
    assert str(told) == "/proc/made cannot be made (nothing can be put into /proc): name another."
    assert named.fault(aside, ["/proc/mad", "/sys/made"]) is None
    with pytest.raises(UserError, match="no path"):
        named.path("")


def test_a_name_that_is_no_unicode_is_said(say: Any, capsys: Any) -> None:
    name = os.fsdecode(b"film\xff.mp4")
    assert say("save-reply", "good.json", name)[0] == 0
    status, err = say("save-reply", name + "x", "y.mp4")
    assert status == 1 and "film" in err


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o027, 0o002])
def test_the_user_s_umask_holds(say: Any, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert say("save-reply", "good.json", "film.mp4")[0] == 0
        assert say("example")[0] == 0
    finally:
        os.umask(before)
    for path in (Path("film.mp4"), Path("work/tiny/example-request.json")):
        assert path.stat().st_mode & 0o777 == 0o644 & ~umask
