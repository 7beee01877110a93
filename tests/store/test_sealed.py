"""Seals: what a later run takes up is byte for byte what an earlier one finished."""

import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.store import sealed
from tests.store.damage import flipped, other_damage

pytestmark = pytest.mark.capability("damage", scale="T")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two sealed files of the same work."""
    first, second = tmp_path / "step_1.bin", tmp_path / "step_2.bin"
    for number, path in enumerate((first, second)):
        path.write_bytes(bytes(range(number, 200)))
        sealed.seal(path, "work")
    return first, second


def test_a_whole_file_has_no_flaw(pair: tuple[Path, Path]) -> None:
    assert sealed.flaw(pair[0], "work") is None


def test_every_flipped_bit_is_noticed(pair: tuple[Path, Path]) -> None:
    path = pair[0]
    content = path.read_bytes()
    for damaged in flipped(content, len(content) * 2):
        path.write_bytes(damaged)
        assert sealed.flaw(path, "work") == "is damaged"


def test_a_flipped_bit_of_the_seal_never_lets_other_bytes_pass(pair: tuple[Path, Path]) -> None:
    path, seal = pair[0], sealed.seal_of(pair[0])
    content = seal.read_bytes()
    path.write_bytes(path.read_bytes()[::-1])
    for damaged in flipped(content, 400):
        seal.write_bytes(damaged)
        assert sealed.flaw(path, "work")


def test_other_damage_is_noticed(pair: tuple[Path, Path]) -> None:
    path, other = pair
    content = path.read_bytes()
    for name, do in other_damage(path, other).items():
        do()
        assert sealed.flaw(path, "work"), name
        path.write_bytes(content)
    assert sealed.flaw(path, "work") is None


def test_another_step_s_file_with_its_own_seal_is_noticed(pair: tuple[Path, Path]) -> None:
    path, other = pair
    path.write_bytes(other.read_bytes())
    sealed.seal_of(path).write_bytes(sealed.seal_of(other).read_bytes())
    assert sealed.flaw(path, "work") == "belongs to other work"


def test_other_work_and_unfinished_work_are_not_taken_up(pair: tuple[Path, Path]) -> None:
    path, other = pair
    assert sealed.flaw(path, "another fingerprint") == "belongs to other work"
    sealed.seal_of(path).unlink()
    assert sealed.flaw(path, "work") == "was not finished"
    sealed.seal_of(other).write_bytes(b"[1]")
    assert sealed.flaw(other, "work") == "has a damaged seal"


def test_a_folder_is_sealed_with_all_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "call-0"
    (folder / "person").mkdir(parents=True)
    for name in ("mark.json", "person/photo.jpg"):
        (folder / name).write_bytes(name.encode())
    sealed.seal(folder, "work")
    assert sealed.flaw(folder, "work") is None
    photo = folder / "person" / "photo.jpg"
    for name, do in other_damage(photo, folder / "mark.json").items():
        do()
        assert sealed.flaw(folder, "work") == "is damaged", name
        photo.write_bytes(b"person/photo.jpg")
    (folder / "person" / "extra.jpg").write_bytes(b"")
    assert sealed.flaw(folder, "work") == "is damaged"


def test_what_is_moved_aside_is_kept_and_not_read_again(pair: tuple[Path, Path]) -> None:
    path = pair[0]
    path.write_bytes(b"damaged")
    sealed.move_aside(path)
    assert sealed.flaw(path, "work") == "is missing"
    assert path.with_name("step_1.bin.damaged").read_bytes() == b"damaged"
    sealed.remove(pair[1])
    assert [one.name for one in path.parent.iterdir()] == ["step_1.bin.damaged"]


def test_a_copy_that_is_kept_is_no_better_than_its_origin(pair: tuple[Path, Path]) -> None:
    path, copy = pair[0], pair[0].with_name("before.bin")
    sealed.keep_copy(path, copy)
    assert sealed.flaw(copy, "work") is None
    damaged = next(flipped(path.read_bytes(), 1))
    copy.unlink()  # a second name of the same bytes
    path.write_bytes(damaged)
    sealed.keep_copy(path, copy)
    assert sealed.flaw(copy, "work") == "is damaged"
    sealed.seal_of(path).unlink()
    sealed.remove(copy)
    sealed.keep_copy(path, copy)
    assert sealed.flaw(copy, "work") == "is missing"


def test_equal_files_have_equal_seals(pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = sealed.seal_of(pair[0]).read_bytes()
    sealed.seal(pair[0], "work")
    assert sealed.seal_of(pair[0]).read_bytes() == before
    assert json.loads(before)["origin"] == "work"


def test_a_checkpoint_never_lies_there_without_its_seal(tmp_path: Path, monkeypatch: Any) -> None:
    from mm_model.store import atomic

    path, seen = tmp_path / "step_1.bin", []
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = real(self, target)
        seen.append((path.exists(), sealed.flaw(path, "work")))
        return moved

    monkeypatch.setattr(Path, "replace", replace)
    with atomic.written_aside(path) as aside:
        aside.write_bytes(b"weights")
        sealed.seal(path, "work", aside)
    assert seen == [(False, "is missing"), (True, None)]
