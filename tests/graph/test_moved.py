"""A tree may be moved, copied or unpacked: its environment, DVC and Dagster go with it."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration import home, venv
from tests.graph.conftest import REPOSITORY, Tree

pytestmark = pytest.mark.capability("killed, moved, full disk", scale="T")

SCRIPT = "import sys, mm_model; print(sys.prefix, mm_model.__file__, sep='|')\n"


def _plain(python: Path) -> bytes:
    return f"#!{python}\n{SCRIPT}".encode()


def _quoted(python: Path) -> bytes:
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n{SCRIPT}".encode()


def _plant(root: Path) -> Path:
    """A tree with a package and an environment, as `pip install -e` leaves it."""
    (root / "mm_model").mkdir(parents=True)
    (root / "mm_model" / "__init__.py").write_text("")
    place = root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = (place / "lib").glob("python*/site-packages")
    (packages / "__editable__.mm_model-0.1.0.pth").write_text(f"{root}\n")
    for name, form in (("plain", _plain), ("quoted", _quoted)):
        script = place / "bin" / name
        script.write_bytes(form(place / "bin" / "python"))
        script.chmod(0o755)
    (place / "bin" / "foreign").write_text("#!/usr/bin/env python3\n")
    return place


def _says(root: Path, script: str) -> list[str]:
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [root / ".venv" / "bin" / script],
        capture_output=True,
        text=True,
        cwd="/",
        env=alone,
        check=True,
    )
    return done.stdout.strip().split("|")


def test_an_environment_goes_with_its_tree(tmp_path: Path) -> None:
    old = tmp_path / "old"
    assert not venv.settle(_plant(old), old), "it lies where it was made"
    for name in ("moved", "with a space and an 'apostrophe", "Größe"):
        new = old.rename(tmp_path / name)
        old.write_text("a file lies at the old place")
        for script in ("plain", "quoted"):
            prefix, package = _says(new, script)
            assert Path(prefix) == new / ".venv"
            assert Path(package).resolve() == new / "mm_model" / "__init__.py"
        assert venv.settle(new / ".venv", new), "it lies elsewhere now"
        assert not venv.settle(new / ".venv", new)
        activated = ["bash", "-c", '. "$0" && command -v plain', new / ".venv" / "bin" / "activate"]
        found = subprocess.run(activated, capture_output=True, text=True, check=True).stdout
        assert found.strip() == str(new / ".venv" / "bin" / "plain")
        old.unlink()
        old = new
    assert (old / ".venv" / "bin" / "foreign").read_text() == "#!/usr/bin/env python3\n"


@pytest.mark.parametrize("name", ["plain", "a space", "an 'apostrophe", "Größe $HOME"])
@pytest.mark.parametrize("form", ['"{}"', "quoted", "{}"])  # releases of Python differ
def test_an_environment_knows_where_it_lies_in_every_form(
    tmp_path: Path, name: str, form: str
) -> None:
    root = tmp_path / name
    place = _plant(root)
    activate = place / "bin" / "activate"
    there = shlex.quote(str(place)) if form == "quoted" else form.format(place)
    activate.write_text(f"VIRTUAL_ENV={there}\nexport VIRTUAL_ENV\n")
    assert not venv.settle(place, root)
    longer = there.replace(".venv", ".venv2")
    activate.write_text(f"VIRTUAL_ENV={longer}\nexport VIRTUAL_ENV\n")
    assert venv.settle(place, root), "an address that only begins alike is another one"
    assert not venv.settle(place, root)


def test_a_copied_environment_never_runs_the_original(tmp_path: Path) -> None:
    original = tmp_path / "original"
    _plant(original)
    files = (path for path in original.rglob("*") if path.is_file() and not path.is_symlink())
    before = {path: path.read_bytes() for path in files}
    copy = tmp_path / "copy"
    shutil.copytree(original, copy, symlinks=True, copy_function=os.link)  # cp -al
    assert venv.settle(copy / ".venv", copy)
    for script in ("plain", "quoted"):
        assert all(Path(said).resolve().is_relative_to(copy) for said in _says(copy, script))
    now = {path: path.read_bytes() for path in before}
    assert now == before, "a file shared by a hard link is not written into"


def test_make_makes_an_environment_again_whose_python_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "a tree"
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / ".installed").touch()
    python = root / ".venv" / "bin" / "python"

    def planned() -> str:
        command = ["make", "-n", "setup"]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout

    python.symlink_to(tmp_path / "no such python")
    assert "-m venv .venv" in planned()
    python.unlink()
    python.symlink_to(sys.executable)
    assert "-m venv" not in planned()


@pytest.fixture
def unpacked(fresh: Tree) -> Tree:
    """The tree as an archive gives it: without git."""
    shutil.rmtree(fresh.root / ".git")
    return fresh


def _scm(tree: Tree) -> str:
    path = tree.root / ".dvc" / "config.local"
    return path.read_text() if path.is_file() else ""


def test_a_tree_without_git_runs(unpacked: Tree) -> None:
    home.settle_git(unpacked.root)
    assert "no_scm = true" in _scm(unpacked)
    unpacked.dvc("repro", "ingest")
    assert unpacked.executed() == ["sources", "ingest"]


def test_a_tree_unpacked_inside_another_repository_does_not_use_it(unpacked: Tree) -> None:
    from mm_model.tracking.tracker import git_revision

    outer = unpacked.root.parent
    (outer / ".gitignore").write_text("*\n")
    for words in (["init", "-q"], ["add", "-f", ".gitignore"]):
        subprocess.run(["git", *words], cwd=outer, check=True)
    who = ["-c", "user.name=toy", "-c", "user.email=toy@localhost"]
    subprocess.run(["git", *who, "commit", "-qm", "theirs"], cwd=outer, check=True)
    home.settle_git(unpacked.root)
    unpacked.dvc("repro", "sources")
    assert git_revision(unpacked.root) is None


def test_git_that_comes_later_is_used_and_a_choice_by_hand_stays(unpacked: Tree) -> None:
    home.settle_git(unpacked.root)
    subprocess.run(["git", "init", "-q"], cwd=unpacked.root, check=True)
    home.settle_git(unpacked.root)
    assert "no_scm" not in _scm(unpacked)
    shutil.rmtree(unpacked.root / ".git")
    (unpacked.root / ".dvc" / "config.local").write_text("[core]\nno_scm = false\n")
    home.settle_git(unpacked.root)
    assert _scm(unpacked) == "[core]\nno_scm = false\n"
