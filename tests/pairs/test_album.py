"""Painted pictures are found again whole, or not at all; the longest unused go first."""

import os
from pathlib import Path

import pytest

from mm_model.pairs.album import Album

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="T")


def _kept(album: Album, name: str, used: int) -> None:
    path = album.keep(name, b"x" * 1000, {"prompt": "a man img"})
    os.utime(path.with_suffix(".json"), (used, used))


def test_a_picture_is_found_whole_or_not_at_all(tmp_path: Path) -> None:
    album = Album(tmp_path / "painted")
    assert album.find("ab12") is None
    path = album.keep("ab12", b"picture", {"prompt": "a man img"})
    assert album.find("ab12") == path and path.read_bytes() == b"picture"
    path.write_bytes(b"pict")
    assert album.find("ab12") is None
    path.unlink()
    assert album.find("ab12") is None
    album.keep("ab12", b"picture", {})
    path.with_suffix(".json").write_text("[1")
    assert album.find("ab12") is None


def test_the_longest_unused_are_dropped_and_what_is_used_stays(tmp_path: Path) -> None:
    album = Album(tmp_path)
    for number, name in enumerate(("aa01", "bb02", "cc03", "dd04")):
        _kept(album, name, 1000 + number)
    assert album.trim([], most=10_000) == 0
    album.find("aa01")  # used now
    assert album.trim(["bb02"], most=2500) == 2
    there = {name for name in ("aa01", "bb02", "cc03", "dd04") if album.find(name)}
    assert there == {"aa01", "bb02"}
    assert {path.stem for path in tmp_path.glob("*/*.jpg")} == there
