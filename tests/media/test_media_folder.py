"""Walking a folder, names as text, and consent."""

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.errors import UserError
from mm_model.media.consent import consent_for
from mm_model.media.folder import may_be_sample, media_below
from mm_model.media.names import opened, shown, stored
from mm_model.records import Reason
from mm_model.store import digests
from mm_model.store.consents import stated
from tests.forbidden import Forbidden


def test_walk_lists_each_candidate_once_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    for name in (
        "b.jpg",
        "a/x.mp4",
        "a/x.txt",
        ".hidden.jpg",
        ".git/y.jpg",
        "README.md",
        "consent.yaml",
        "synthetic.json",
        "odd",
    ):
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
        "a/x.mp4": None,
        "b.jpg": None,
        "odd": None,
        "inside.jpg": None,
        "away": Reason.IO_SYMLINK_ESCAPE,
        "escape.jpg": Reason.IO_SYMLINK_ESCAPE,
        "loop.jpg": Reason.IO_UNREADABLE,
        "pipe.mp4": Reason.IO_UNREADABLE,
    }
    assert list(found) == sorted(found, key=os.fsencode)


def _tree(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, Reason.IO_UNREADABLE),
        (errno.ENAMETOOLONG, Reason.IO_UNREADABLE),
        (errno.ENOENT, Reason.SYS_IO),
        (errno.EIO, Reason.SYS_IO),
    ],
)
def test_a_folder_that_cannot_be_listed_is_one_entry(
    tmp_path: Path, forbidden: Forbidden, number: int, reason: Reason
) -> None:
    _tree(tmp_path, "ada/deep/1.jpg", "bob.txt/2.jpg", "3.jpg")
    forbidden.listing = {"ada": number, "bob.txt": number}
    found = {str(one.relative): one for one in media_below(tmp_path)}
    assert set(found) == {"3.jpg", "ada", "bob.txt"}, "no file is lost unsaid"
    assert found["ada"].problem.reason == reason and found["ada"].unlisted
    assert "cannot be listed" in found["ada"].problem.message
    assert str(tmp_path) not in found["ada"].problem.message
    assert found["3.jpg"].problem is None


def test_what_a_listing_gave_before_it_broke_off_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tree(tmp_path, "ada/1.jpg", "ada/2.jpg", "3.jpg")
    real = os.scandir

    @contextlib.contextmanager
    def breaks_off(place: Path) -> Iterator[Iterator[os.DirEntry]]:
        def some() -> Iterator[os.DirEntry]:
            yield next(found)
            raise OSError(errno.EIO, "Input/output error")

        with real(place) as found:
            yield some() if Path(place).name == "ada" else found

    monkeypatch.setattr(os, "scandir", breaks_off)
    found = {str(one.relative): one.problem for one in media_below(tmp_path)}
    (seen,) = set(found) - {"ada", "3.jpg"}
    assert seen in ("ada/1.jpg", "ada/2.jpg") and found[seen] is None
    assert found["ada"].reason == Reason.SYS_IO


def test_entries_that_cannot_be_looked_at_are_rows(tmp_path: Path, forbidden: Forbidden) -> None:
    _tree(tmp_path, "a/1.jpg", "a/1.txt", "a/2.mp4", "b/3.jpg")
    forbidden.looking = {"1.jpg": errno.EACCES, "1.txt": errno.EACCES, "2.mp4": errno.ENOENT}
    found = {str(one.relative): one.problem for one in media_below(tmp_path)}
    assert set(found) == {"a/1.jpg", "a/2.mp4", "b/3.jpg"}
    assert found["a/1.jpg"].reason == Reason.IO_UNREADABLE
    assert "permission denied" in found["a/1.jpg"].message
    assert found["a/2.mp4"].reason == Reason.SYS_IO and "vanished" in found["a/2.mp4"].message


def test_the_folder_itself_without_permission_is_refused_by_name(
    tmp_path: Path, forbidden: Forbidden
) -> None:
    _tree(tmp_path, "raw/1.jpg")
    forbidden.listing = {"raw": errno.EACCES}
    with pytest.raises(UserError, match=r"raw cannot be listed \(permission denied\)"):
        media_below(tmp_path / "raw")


def test_links_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    _tree(folder, "1.jpg", ".hidden/2.jpg")
    for name, target in {
        "nowhere.jpg": "gone.jpg",
        "a.jpg": "b.jpg",
        "b.jpg": "a.jpg",
        "cellar": ".hidden",
        "self": ".",
        "up": "..",
        "shown.jpg": ".hidden/2.jpg",
    }.items():
        (folder / name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "talk.mp4"))
    said = {str(one.relative): one.problem and one.problem.message for one in media_below(folder)}
    assert said == {
        "1.jpg": None,
        "shown.jpg": None,
        "nowhere.jpg": "the link leads nowhere",
        "a.jpg": "the link leads in a circle",
        "b.jpg": "the link leads in a circle",
        "up": "the link leads out of the folder",
        "cellar": "the link leads to a hidden folder, whose files are not read",
        "talk.mp4": "not a regular file (a pipe, socket or device)",
    }


def test_a_path_too_long_to_open_is_a_row(tmp_path: Path) -> None:
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(24):
            os.mkdir("d" * 200)  # noqa: PTH102
            os.chdir("d" * 200)
        Path("1.jpg").touch()
    finally:
        os.chdir(before)
        os.close(before)
    (found,) = media_below(tmp_path)
    assert found.problem.reason == Reason.IO_UNREADABLE
    assert "too long" in found.problem.message
    assert digests.of_path(tmp_path, tolerant=True)
    shutil.rmtree(tmp_path / ("d" * 200))


def test_the_tolerant_digest_notices_what_can_no_longer_be_read(
    tmp_path: Path, forbidden: Forbidden
) -> None:
    _tree(tmp_path, "a/1.jpg", "b/2.jpg")
    before = digests.of_path(tmp_path, tolerant=True)
    assert before == digests.of_path(tmp_path)
    forbidden.listing = {"a": errno.EACCES}
    unlisted = digests.of_path(tmp_path, tolerant=True)
    forbidden.listing, forbidden.looking = {}, {"1.jpg": errno.EACCES}
    unseen = digests.of_path(tmp_path, tolerant=True)
    assert len({before, unlisted, unseen}) == 3
    with pytest.raises(PermissionError):
        digests.of_path(tmp_path)


@pytest.mark.parametrize("edge", ["looking", "opening"])
def test_an_unreadable_consent_record_is_one_sentence(
    tmp_path: Path, forbidden: Forbidden, edge: str
) -> None:
    (tmp_path / "consent.yaml").write_text("basis: signed form\nadults: true\n")
    setattr(forbidden, edge, {"consent.yaml": errno.EACCES})
    with pytest.raises(UserError, match=r"consent\.yaml cannot be read \(permission denied\)"):
        consent_for(tmp_path, stated("a basis for all"))


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


def test_consent_file_wins_and_may_cover_some_files(tmp_path: Path) -> None:
    (tmp_path / "consent.yaml").write_text("basis: signed form\nadults: true\nfiles: ['ada/*']\n")
    record = consent_for(tmp_path, stated("another basis"))
    assert record.statement.text == "signed form"
    assert record.covers("ada/deep/1.jpg") and not record.covers("bob/1.jpg")


def test_a_basis_covers_the_whole_folder(tmp_path: Path) -> None:
    record = consent_for(tmp_path, stated(" own pictures "))
    assert record.covers("any.jpg") and record.statement.text == "own pictures"


def test_without_consent_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"consent\.yaml.*CONSENT="):
        consent_for(tmp_path, None)


@pytest.mark.parametrize(
    "text",
    [
        "basis: form\n",
        "basis: form\nadults: false\n",
        "adults: true\n",
        "basis: [\n",
        "",
        "basis: form\nadults: 'true'\n",
        "basis: form\nadults: true\nexpires: never\n",
    ],
)
def test_an_incomplete_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.yaml").write_text(text)
    with pytest.raises(UserError, match=r"consent\.yaml"):
        consent_for(tmp_path, stated("profile basis"))


@pytest.mark.parametrize(
    "text", ["we all agreed, said Ada: true\n", "basis: ada@home\nadults: Ada\n"]
)
def test_a_record_that_is_refused_is_not_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        consent_for(tmp_path, None)
    assert "ada" not in str(refused.value).replace(str(tmp_path), "").lower()


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("ann/a.jpg", True),
        ("clip.MOV", True),
        ("without-ending", True),
        ("ann/a.jpg.txt", False),
        ("consent.yaml", False),
        ("README.md", False),
        ("ann/.hidden/a.jpg", False),
        ("part-0001.tar.gz", False),
        ("index.parquet", False),
    ],
)
def test_a_name_says_what_may_be_a_sample_by_itself(name: str, may: bool) -> None:
    assert may_be_sample(Path(name)) is may
