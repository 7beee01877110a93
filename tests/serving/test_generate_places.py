"""`generate` and what people name: places of clips, photographs, folders, consents; progress."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mm_model import progress
from mm_model.commands.generate import work
from mm_model.commands.generate.sidecar import read
from mm_model.serving.refusal import Refusal
from tests.serving.house import House
from tests.serving.test_generate import Command, asked, command, photographs, record_of, served

__all__ = ["asked", "command", "photographs"]  # fixtures


def test_a_place_where_no_clip_can_be_is_refused_before_work(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_made", None)  # work would fail
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for name in ("link.mp4", "nowhere"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
    for place, word in (
        ("file/c.mp4", "cannot be written"),
        ("/proc/c.mp4", "cannot be written"),
        ("/proc/new/c.mp4", "cannot be written"),
        ("nowhere/c.mp4", "cannot be written"),
        ("new/" + "n" * 256 + "/c.mp4", "cannot be written"),
        ("new/" + "n" * 251 + ".mp4", "cannot be written"),  # the name of its record is too long
        ("new/" * 1100 + "c.mp4", "cannot be written"),
        ("n" * 252 + ".mp4", "cannot be written"),
        ("link.mp4", "exists"),
        ("c.avi", "ends in .mp4"),
        (".mp4", "ends in .mp4"),
    ):
        status, _, err = command(*asked, "-o", place)
        assert status == 1 and word in err and "Traceback" not in err
    status, _, err = command(*asked, "-o", "folder.mp4", "--force")
    assert status == 1 and "is a folder" in err
    left = ["file", "folder.mp4", "link.mp4", "nowhere"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_who_is_killed_at_work_leaves_no_folder(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = work._made, []

    def looked_at(*given: Any) -> Any:
        seen.append(list(tmp_path.rglob("*")))  # what a SIGKILL would leave
        return made(*given)

    monkeypatch.setattr(work, "_made", looked_at)
    assert command(*asked, "-o", tmp_path / "new" / "deep" / "clip.mp4")[0] == 0
    assert seen == [[]] and (tmp_path / "new" / "deep" / "clip.json").is_file()


@pytest.mark.parametrize("others", [["clip.mp4"], ["clip.json"], ["clip.mp4", "clip-2.json"]])
def test_a_clip_that_somebody_wrote_meanwhile_stays(
    command: Command,
    asked: list,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    others: list[str],
) -> None:
    made = work._made

    def meanwhile(*arguments: Any) -> Any:
        for name in others:
            (tmp_path / name).write_bytes(b"another's")
        return made(*arguments)

    monkeypatch.setattr(work, "_made", meanwhile)
    status, out, _ = command(*asked, "-o", tmp_path / "clip.mp4")
    free = tmp_path / f"clip-{len(others) + 1}.mp4"
    assert status == 0 and out.splitlines()[-1] == str(free)
    assert {(tmp_path / name).read_bytes() for name in others} == {b"another's"}
    assert read(free.with_suffix(".json")).arguments.numbers["seed"] == 7


def test_what_is_no_photograph_is_said_at_once(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, word in (("pipe", "neither a file nor a folder"), ("absent.png", "is not there")):
        status, _, err = command("--ref", name, *asked[4:])
        assert status == 1 and word in err
    monkeypatch.setenv("HOME", str(asked[1].parent))
    status, _, err = command("--ref", "~/first.png", *asked[4:], "--frames", 2)
    assert status == 1 and "--frames" in err, "the photograph was found"


def test_a_folder_whose_consent_is_words_is_named(
    command: Command, asked: list, tmp_path: Path
) -> None:
    folder = tmp_path / "hers"
    folder.mkdir()
    (folder / "a.png").write_bytes(asked[1].read_bytes())
    (folder / "consent.yaml").write_text("basis: she agreed by letter\nadults: true\n")
    status, _, err = command("--ref", folder, "--prompt", "a woman smiles")
    assert status == 1 and "hers/consent.yaml states its basis in words" in err


def test_folders_and_files_need_a_consent_that_covers_all(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_made", None)  # work would fail
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(asked[1].read_bytes())
        said = f"basis: synthetic:{name}\nadults: true\n"
        (tmp_path / name / "consent.yaml").write_text(said)
    said = ["--prompt", "a woman smiles"]
    status, _, err = command("--ref", "one", "--ref", "two", *said)
    assert status == 1 and "different consents" in err
    status, _, err = command("--ref", "one", "--ref", asked[1], *said)
    assert status == 1 and "consent is missing" in err, "a folder's consent is not the file's"


def test_progress_is_told_and_words_that_are_cut_off_before_it(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    asked[asked.index("--prompt") + 1] = "a woman img smiles " + "and smiles " * 40
    asked[asked.index("--steps") + 1] = 3
    _, out, _ = command(*asked, "-o", tmp_path / "clip.mp4")
    lines = out.splitlines()
    told = [at for at, line in enumerate(lines) if line.startswith("generating ")]
    assert [lines[at].split(",")[0] for at in told] == ["generating 1/3", "generating 2/3"]
    assert all(lines[at].endswith("s left") for at in told)
    assert next(at for at, line in enumerate(lines) if "are cut off" in line) < told[0]


def test_a_clip_and_its_record_keep_to_the_user_s_umask(
    command: Command, asked: list, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        assert command(*asked, "-o", tmp_path / "clip.mp4")[0] == 0
        assert command(*asked, "-o", tmp_path / "clip.mp4", "--force")[0] == 0
    finally:
        os.umask(before)
    for name in ("clip.mp4", "clip.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_signs_that_are_no_marks_are_words(
    command: Command, asked: list, served_house: House
) -> None:
    mirror = served(served_house)
    for prompt in ("a woman < 3 > smiles", "a woman </ s> smiles", "a woman <PAD> smiles"):
        assert mirror.read(record_of([asked[1]]) | {"prompt": prompt}).prompt == prompt
    with pytest.raises(Refusal) as refused:
        mirror.read(record_of([asked[1]]) | {"prompt": "a woman </s> smiles"})
    assert refused.value.code == "prompt_characters" and "</s>" in refused.value.sentence
