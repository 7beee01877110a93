"""Painted pictures are found again whole, or not at all; the longest unused go first."""

import os
from pathlib import Path

import pytest

from mm_model.pairs.gallery import PaintedPictures

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="T")


def _kept(gallery: PaintedPictures, name: str, used: int) -> None:
    path = gallery.keep(name, b"x" * 1000, {"prompt": "a man img"})
    os.utime(path.with_suffix(".json"), (used, used))


def test_a_picture_is_found_whole_or_not_at_all(tmp_path: Path) -> None:
    gallery = PaintedPictures(tmp_path / "painted")
    assert gallery.find("ab12") is None
    path = gallery.keep("ab12", b"picture", {"prompt": "a man img"})
    assert gallery.find("ab12") == path and path.read_bytes() == b"picture"
    path.write_bytes(b"pict")
    assert gallery.find("ab12") is None
    path.unlink()
    assert gallery.find("ab12") is None
    gallery.keep("ab12", b"picture", {})
    path.with_suffix(".json").write_text("[1")
    assert gallery.find("ab12") is None


def test_the_longest_unused_are_dropped_and_what_is_used_stays(tmp_path: Path) -> None:
    gallery = PaintedPictures(tmp_path)
    for number, name in enumerate(("aa01", "bb02", "cc03", "dd04")):
        _kept(gallery, name, 1000 + number)
    assert gallery.trim([], most=10_000) == 0
    gallery.find("aa01")  # used now
    assert gallery.trim(["bb02"], most=2500) == 2
    there = {name for name in ("aa01", "bb02", "cc03", "dd04") if gallery.find(name)}
    assert there == {"aa01", "bb02"}
    assert {path.stem for path in tmp_path.glob("*/*.jpg")} == there
