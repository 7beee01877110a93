"""Walking a folder, names as text, captions, and consent."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.errors import UserError
from mm_model.media.captions import MAX_CHARACTERS, clean, read_caption
from mm_model.media.consent import consent_for
from mm_model.media.folder import media_below
from mm_model.media.names import opened, shown, stored
from mm_model.records import Reason


def test_walk_lists_each_candidate_once_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    for name in ("b.jpg", "a/x.mp4", "a/x.txt", ".hidden.jpg", ".git/y.jpg", "README.md",
                 "consent.yaml", "synthetic.json", "odd"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.jpg").write_bytes(b"s")
    (folder / "escape.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "away").symlink_to(tmp_path)
    (folder / "again").symlink_to(folder / "a")
    (folder / "inside.jpg").symlink_to(folder / "b.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    os.mkfifo(folder / "pipe.mp4")
    found = {str(f.relative): f.problem and f.problem.reason for f in media_below(folder)}
    assert found == {
        "a/x.mp4": None, "b.jpg": None, "odd": None, "inside.jpg": None,
        "away": Reason.IO_SYMLINK_ESCAPE, "escape.jpg": Reason.IO_SYMLINK_ESCAPE,
        "loop.jpg": Reason.IO_UNREADABLE, "pipe.mp4": Reason.IO_UNREADABLE,
    }  # fmt: skip
    assert list(found) == sorted(found, key=os.fsencode)


def test_subject_is_the_first_folder(tmp_path: Path) -> None:
    (tmp_path / "ada" / "more").mkdir(parents=True)
    (tmp_path / "ada" / "more" / "1.jpg").touch()
    (tmp_path / "2.jpg").touch()
    assert [f.subject for f in media_below(tmp_path)] == [None, "ada"]


@given(st.binary(min_size=1, max_size=40).filter(lambda b: b"\0" not in b))
def test_any_file_name_survives_being_text(raw: bytes) -> None:
    path = os.fsdecode(raw)
    text = stored(path)
    text.encode("utf-8")
    assert shown(path).isprintable()
    assert opened(text, Path("/root")) == Path("/root") / path


def test_clean_names_stay_readable() -> None:
    assert stored("sets/ümlaut 1.jpg") == "sets/ümlaut 1.jpg"
    assert shown("a\nb\udcff.jpg") == "a\\nb\\xff.jpg"


def test_captions_are_one_clean_line(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.txt"
    sidecar.write_text("\ufeff  a woman\n\tsmiles\u200b \x07 ", "utf-8")
    assert read_caption(sidecar) == "a woman smiles"
    sidecar.write_text(" \n")
    assert read_caption(sidecar) is None
    assert read_caption(tmp_path / "none.txt") is None
    assert len(clean("word " * 500)) <= MAX_CHARACTERS
    assert clean("word " * 500).endswith("word")


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe\x00", b"x" * (1 << 21)])
def test_what_is_no_caption_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match="caption file"):
        read_caption(tmp_path / "a.txt")


def test_consent_file_wins_and_may_cover_some_files(tmp_path: Path) -> None:
    (tmp_path / "consent.yaml").write_text("basis: signed form\nadults: true\nfiles: ['ada/*']\n")
    record = consent_for(tmp_path, "another basis")
    assert record.covers("ada/deep/1.jpg") == "signed form"
    assert record.covers("bob/1.jpg") is None


def test_a_basis_covers_the_whole_folder(tmp_path: Path) -> None:
    assert consent_for(tmp_path, " own pictures ").covers("any.jpg") == "own pictures"


@pytest.mark.parametrize("basis", [None, "", "  "])
def test_without_consent_the_way_out_is_named(tmp_path: Path, basis: str | None) -> None:
    with pytest.raises(UserError, match=r"consent\.yaml.*CONSENT="):
        consent_for(tmp_path, basis)


@pytest.mark.parametrize(
    "text",
    ["basis: form\n", "basis: form\nadults: false\n", "adults: true\n", "basis: [\n", "",
     "basis: form\nadults: 'true'\n", "basis: form\nadults: true\nexpires: never\n"],
)  # fmt: skip
def test_an_incomplete_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.yaml").write_text(text)
    with pytest.raises(UserError, match=r"consent\.yaml"):
        consent_for(tmp_path, "profile basis")
