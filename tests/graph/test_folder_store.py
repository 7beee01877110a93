"""A folder is a store too: one line brings a second clone what the first one made."""

import subprocess
from pathlib import Path

import pytest

from tests.graph.conftest import STAGES, Tree
from tests.graph.test_object_store import ask, clone, contents, stopped, well

pytestmark = [pytest.mark.slow, pytest.mark.capability("object store", scale="T")]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """An empty folder outside every tree."""
    place = tmp_path / "a disk"
    place.mkdir()
    return place


def test_a_second_clone_works_by_one_line(done: Tree, shelf: Path, tmp_path: Path) -> None:
    said = well(done, "push", f"--url={shelf}")
    assert f"Pushed profile tiny to {shelf}" in said and "MM_SHARDS" not in said
    other = clone(done, tmp_path / "other")
    well(other, "pull", f"--url={shelf}")
    assert contents(other) == contents(done) and len(contents(other)) > len(STAGES)
    assert (other.root / "dvc.lock").read_bytes() == (done.root / "dvc.lock").read_bytes()
    assert other.is_clean()
    other.dvc("repro")
    assert other.executed() == []
    well(other, "pull")  # the store is known from now on


@pytest.mark.endurance
def test_likeness_goes_to_a_folder_of_its_own(done: Tree, shelf: Path, tmp_path: Path) -> None:
    own = tmp_path / "locked away"
    well(done, "push", f"--url={shelf}", f"--likeness={own}")
    held = {path.name for path in (done.root / ".dvc/cache/files/md5").glob("*/*")}
    apart = {path.name for path in own.glob("files/md5/*/*")}
    together = {path.name for path in shelf.glob("files/md5/*/*")}
    assert apart | together == held
    folders = {name for name in apart if name.endswith(".dir")}
    assert len(folders) == 2 and not folders & together, "faces and precompute"


@pytest.mark.endurance
def test_what_is_lost_there_is_named_and_put_back(done: Tree, shelf: Path, tmp_path: Path) -> None:
    well(done, "push", f"--url={shelf}")
    elsewhere = {path.name for path in (shelf / "likeness").glob("files/md5/*/*")}
    lying = (path for path in shelf.glob("files/md5/*/*") if path.name not in elsewhere)
    lost = next(path for path in lying if path.suffix != ".dir")
    lost.chmod(0o644)
    lost.unlink()
    other = clone(done, tmp_path / "other")
    assert "lacks 1 objects" in stopped(other, "pull", f"--url={shelf}")
    assert not (other.root / "data").exists(), "nothing changes before all is there"
    well(done, "push")
    well(other, "pull")
    assert contents(other) == contents(done)


def test_a_folder_that_is_not_there_is_not_made(done: Tree, tmp_path: Path) -> None:
    away = tmp_path / "not mounted"
    assert f"There is no folder {away}" in stopped(done, "push", f"--url={away}")
    assert not away.exists()
    status, said = ask(done, "push", f"--url={done.root}")
    assert status == 1 and "holds the tree itself" in said


@pytest.mark.endurance
def test_what_is_withdrawn_leaves_the_folder(done: Tree, shelf: Path) -> None:
    well(done, "push", f"--url={shelf}")
    before = {path.name for path in shelf.glob("files/md5/*/*")}
    done.set("evaluate", "inference_steps", 3)
    done.dvc("repro")
    well(done, "push")
    well(done, "prune")
    named = {path.name for path in (done.root / ".dvc/cache/files/md5").glob("*/*")}
    both = [*shelf.glob("files/md5/*/*"), *shelf.glob("likeness/files/md5/*/*")]
    assert {path.name for path in both} == named and before - named


def test_a_committed_lock_serves_dvc_alone(done: Tree, shelf: Path, tmp_path: Path) -> None:
    """As DVC's users do it: the lock in git, objects by `dvc push` and `dvc pull`."""
    well(done, "set", f"--url={shelf}")
    git = ["git", "-c", "user.name=toy", "-c", "user.email=toy@localhost", "-C", str(done.root)]
    subprocess.run([*git, "commit", "-qam", "what ran"], check=True)
    done.dvc("push")
    other = clone(done, tmp_path / "other")
    well(other, "set", f"--url={shelf}")
    other.dvc("pull")
    assert contents(other) == contents(done) and other.is_clean()
    said = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    assert said.stdout == ""
