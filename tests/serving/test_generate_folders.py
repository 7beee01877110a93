"""Folders as references of `generate`: how many of their pictures are shown, and what is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands.generate import asked as asks
from mm_model.commands.generate import work
from mm_model.commands.generate.asked import Photographs
from mm_model.errors import UserError
from mm_model.settings import ServeSettings, load_profile
from tests.serving.house import ROOT
from tests.serving.test_generate import Command, asked, command, photographs

__all__ = ["asked", "command", "photographs"]  # fixtures

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.fixture(scope="module")
def limits() -> ServeSettings:
    return load_profile(ROOT, "tiny").serve.model_copy(update={"max_references": 4})


def folder(place: Path, pictures: int, source: Path) -> Path:
    place.mkdir()
    for number in range(pictures):
        shutil.copyfile(source, place / f"{number}.png")
    return place


def named(found: Photographs) -> list[str]:
    return [f"{path.parent.name}/{path.name}" for path in found.paths]


def test_a_folder_leaves_room_for_what_stands_beside_it(
    tmp_path: Path, photographs: list[Path], limits: ServeSettings
) -> None:
    seven, two = (
        folder(tmp_path / "seven", 7, photographs[0]),
        folder(tmp_path / "two", 2, photographs[0]),
    )
    plain = Path(shutil.copyfile(photographs[0], tmp_path / "plain.png"))
    last = f"{tmp_path.name}/plain.png"
    found = asks.photographs([seven, plain], limits)
    assert named(found) == ["seven/0.png", "seven/1.png", "seven/2.png", last]
    assert found.unused == 4
    assert named(asks.photographs([plain, seven], limits)) == [last, *named(found)[:3]]
    both = asks.photographs([seven, two, plain], limits)
    assert named(both) == ["seven/0.png", "seven/1.png", "two/0.png", last]
    assert both.unused == 6
    assert named(asks.photographs([two, seven], limits)) == [
        "two/0.png",
        "two/1.png",
        "seven/0.png",
        "seven/1.png",
    ]
    assert asks.photographs([seven], limits).unused == 3
    assert len(asks.photographs([plain] * 5, limits).paths) == 5, "what is named is not dropped"


def test_what_is_left_out_of_a_folder_is_said(
    tmp_path: Path,
    command: Command,
    photographs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hers = folder(tmp_path / "hers", 2, photographs[0])
    (hers / "text.jpg").write_text("no picture")
    (hers / "a.heic").write_bytes(HEIC)
    (hers / "b.tiff").write_bytes(b"II*\x00")
    (hers / "c.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom")
    (hers / "line\nbreak.jpg").write_text("")
    folder(hers / "kids", 2, photographs[0])
    (hers / "consent.yaml").write_text("basis: self:me\nadults: true\nfiles: ['0.png']\n")
    said: list[str] = []
    shown = asks.photographs([hers], load_profile(ROOT, "tiny").serve)
    said += shown.left_out
    assert len(said) == 3
    assert (
        "no JPEG, PNG or WebP picture: a.heic, b.tiff, c.mp4, line\\nbreak.jpg and 1 more"
        in (said[0])
    )
    assert said[1].endswith("in a folder of its own: kids/0.png, kids/1.png")
    assert said[2].endswith("not covered by consent.yaml: 1.png")
    monkeypatch.setattr(work.request, "read", _stop)
    status, out, _ = command("--ref", hers, "--prompt", "a woman smiles", "--seed", 1)
    assert status == 1 and [line for line in out.splitlines() if "left out" in line] == said


def _stop(*_: Any) -> None:
    raise UserError("enough")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.jpg", b"no picture", "no JPEG, PNG or WebP picture: a.jpg"),
        ("a.heic", HEIC, "a.heic"),
        ("kids/a.png", b"", "in a folder of its own: kids/a.png"),
        (".hidden.png", b"", "holds no"),
    ],
)
def test_a_folder_without_a_picture_says_what_it_has(
    tmp_path: Path, limits: ServeSettings, name: str, content: bytes, word: str
) -> None:
    (tmp_path / "hers" / name).parent.mkdir(parents=True)
    (tmp_path / "hers" / name).write_bytes(content)
    with pytest.raises(UserError, match="holds no JPEG, PNG or WebP picture of its own") as refused:
        asks.photographs([tmp_path / "hers"], limits)
    assert word in str(refused.value)
