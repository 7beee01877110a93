"""Experiments of DVC in a real graph: tree, lock, profiles and git stay as they were."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.graph.conftest import Tree

pytestmark = [pytest.mark.slow, pytest.mark.capability("experiments", scale="T")]
OVERRIDES = "profiles/overrides.yaml"


@pytest.fixture
def tree(done: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree that ran, as its owner has it: git knows who he is, a shelf that git does not keep."""
    for name, value in (("user.name", "toy"), ("user.email", "toy@localhost")):
        git(done, "config", name, value)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "weights/captioners/first" in git(done, "ls-files", "--others", "--", "weights")
    return done


def git(tree: Tree, *words: str) -> str:
    command = ["git", "-C", str(tree.root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def looks(tree: Tree) -> dict[str, object]:
    """What an experiment that runs beside the tree may not change."""
    files = ["dvc.lock", "params.yaml", *(f"profiles/{p}.yaml" for p in ("tiny", "common"))]
    return {name: (tree.root / name).read_text() for name in files} | {
        "git": git(tree, "status", "--porcelain"),
        "flags": [line for line in git(tree, "ls-files", "-v").splitlines() if line[0] != "H"],
        "outputs": sorted(str(path) for path in (tree.root / "data").rglob("*")),
        "result": (tree.root / "data" / "tiny" / "register" / "result.txt").read_text(),
    }


def told(tree: Tree) -> set[tuple[str, ...]]:
    """Experiment, stage and place of every stage that ran for an experiment."""
    lines = (tree.root / "experiments.txt").read_text().splitlines()
    return {tuple(line.split()) for line in lines}


def compared(tree: Tree, *words: str) -> dict[str, dict[str, float]]:
    found = json.loads(tree.dvc(*words, "--json"))
    return found.get("diff", found)


@pytest.mark.minutes
def test_a_queue_leaves_the_tree_as_it_was(tree: Tree, tmp_path: Path) -> None:
    before = looks(tree)
    sweep = f"{OVERRIDES}:++pretrain.steps=40,50"
    tree.dvc("exp", "run", "--queue", "-n", "sweep", "-S", sweep)
    assert looks(tree) == before, "queued"
    tree.dvc("exp", "run", "--run-all", "--jobs", "1")
    assert looks(tree) == before and tree.is_clean()
    trained = ("pretrain", "finetune", "evaluate", "register")
    assert told(tree) == {(f"sweep-{n}", name, "aside") for n in (1, 2) for name in trained}

    said = compared(tree, "metrics", "diff", "sweep-1", "sweep-2")
    assert said["data/tiny/evaluate/figures.json"]["identity"] == {
        "old": 0.04,
        "new": 0.05,
        "diff": pytest.approx(0.01),
    }
    said = compared(tree, "params", "diff", "sweep-1", "sweep-2")
    assert said == {
        "data/tiny/settings.json": {"pretrain.steps": {"old": 40, "new": 50, "diff": 10}}
    }
    tree.dvc("plots", "diff", "sweep-1", "sweep-2", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots" / "index.html").read_text()
    assert "loss of pretraining" in page and "rank 1 by link" in page
    shown = tree.dvc("exp", "show", "--csv")
    assert "sweep-1" in shown and "sweep-2" in shown
    assert looks(tree) == before

    tree.dvc("gc", "--all-experiments", "--force")
    assert looks(tree) == before and tree.is_clean()
    tree.dvc("exp", "apply", "sweep-2")
    assert (tree.root / OVERRIDES).read_text() == "pretrain:\n  steps: 50\n"
    assert looks(tree)["profiles/tiny.yaml"] == before["profiles/tiny.yaml"]
    assert tree.is_clean() and tree.executed() == []
    tree.dvc("exp", "remove", "sweep-1")
    tree.dvc("gc", "--workspace", "--force")
    assert tree.is_clean()
    for path in sorted((tree.root / "data" / "tiny").glob("*/result.txt")):
        path.unlink()
    tree.dvc("checkout", "--force")
    assert tree.is_clean(), "what the lock names lies in the cache still"


@pytest.mark.endurance
def test_beside_the_tree_and_in_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    before = looks(tree)
    monkeypatch.setitem(os.environ, "MM_ROOT", str(tree.root))
    tree.dvc("exp", "run", "--temp", "-n", "aside", "-S", f"{OVERRIDES}:++pretrain.steps=60")
    assert looks(tree) == before and tree.is_clean()
    assert ("aside", "register", "aside") in told(tree)

    tree.dvc("exp", "run", "-n", "here", "-S", f"{OVERRIDES}:++pretrain.steps=70")
    assert ("here", "register", "here") in told(tree)
    assert git(tree, "status", "--porcelain").split() == ["M", "dvc.lock", "M", OVERRIDES]
    assert looks(tree)["flags"] == [] and tree.is_clean()
    said = compared(tree, "metrics", "diff", "aside", "workspace")
    assert said["data/tiny/evaluate/figures.json"]["identity"]["diff"] == pytest.approx(0.01)
    tree.dvc("exp", "branch", "aside", "kept")
    assert "dvc.lock" in git(tree, "show", "--stat", "kept")
