"""A backup holds what a person gave the tree, and books that lie elsewhere, or names it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from orchestration import home
from orchestration.backup import saving
from tests.graph.conftest import Tree
from tests.graph.test_backup import _own_home, clone_of, here, lived_in, quiet

__all__ = ["_own_home", "lived_in"]  # fixtures
pytestmark = pytest.mark.capability("backup", scale="T")


def test_what_a_person_gave_is_saved_or_named(lived_in: Tree, tmp_path: Path) -> None:
    """Photographs that no run has learned, values changed since the commit, and links."""
    root = Path(shutil.copytree(lived_in.root, tmp_path / "tree", symlinks=True))
    photograph = root / "photos" / "rex" / "photos" / "1.jpg"
    photograph.parent.mkdir(parents=True)
    photograph.write_text("a dog")
    rex = "rex: {folder: photos/rex, kind: animal, word: dog}"
    changed = {
        "subjects.yaml": f"subject_base: weights/backbone\nsubjects:\n  {rex}\n",
        "params.yaml": (root / "params.yaml").read_text() + "# mine\n",
        ".dvc/config.local": "[core]\n    checksum_jobs = 1\n",
        "profiles/tiny.yaml": (root / "profiles/tiny.yaml").read_text() + "# mine\n",
    }
    for name, text in changed.items():
        (root / name).write_text(text)
    (root / "raw" / "linked").symlink_to(tmp_path / "elsewhere.jpg")
    home.prepare(root)
    said: list[str] = []
    (tmp_path / "to").mkdir()
    folder = saving.save(root, tmp_path / "to", said.append)
    again = clone_of(lived_in, tmp_path / "clone")
    here(again, folder)
    assert {name: (again / name).read_text() for name in changed} == changed
    assert (again / photograph.relative_to(root)).read_text() == "a dog"
    assert f"Not in it: raw/linked, a link to {tmp_path / 'elsewhere.jpg'}." in said


def test_a_home_of_dagster_s_elsewhere_comes_along(
    lived_in: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "old"))
    books = home.prepare(lived_in.root) / "history" / "runs.db"
    books.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(books) as opened:
        opened.execute("CREATE TABLE runs (name TEXT)")
    (tmp_path / "to").mkdir()
    folder = saving.save(lived_in.root, tmp_path / "to", quiet)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "new"))
    here(clone_of(lived_in, tmp_path / "clone"), folder)
    with sqlite3.connect(tmp_path / "new" / "history" / "runs.db") as opened:
        assert opened.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
