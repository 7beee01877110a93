"""A stage in an experiment of DVC: it registers nothing, and what outlives it is the tree's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mm_model.register import stage as register
from mm_model.run import aside
from mm_model.store import consents
from mm_model.store.layout import Layout, repository_root
from mm_model.tracking import store
from mm_model.tracking.tracker import Tracker, git_revision
from tests.serving.house import House
from tests.stages.test_register import BETTER, GOOD, empty_store, house, next_adapter, standing

__all__ = ["empty_store", "house"]  # fixtures


def ask(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    """What DVC tells a stage of an experiment: seen in all three ways of `dvc exp run`."""
    monkeypatch.setenv("DVC_EXP_NAME", "tidal-fowl")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "b" * 40)
    monkeypatch.setenv("DVC_ROOT", str(tree))


def take_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_ROOT"):
        monkeypatch.delenv(name)


def test_a_sweep_never_promotes(house: House, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    house.register()
    before = standing(house)
    ask(monkeypatch, house.root)
    said = next_adapter(house, "two", BETTER)
    assert standing(house) == before, "no version and no alias"
    assert (said["version"], said["aliases"], said["promoted"]) == (0, ["experiment"], False)
    assert "Experiment tidal-fowl: nothing is registered and no alias moves." in said["sentences"]
    assert "To keep it: dvc exp apply tidal-fowl, then make run." in said["sentences"]
    assert "is not registered (experiment)" in capsys.readouterr().out
    table = pd.read_parquet(house.layout.output("register") / "release.parquet")
    assert list(table["alias"]) == ["experiment"] and list(table["version"]) == [0]
    assert register.confirm(house.job()), "in an experiment its account stands"

    take_back(monkeypatch)
    assert not register.confirm(house.job()), "as the tree's own it is to be registered"
    kept = house.register()
    assert (kept["version"], kept["aliases"], kept["promoted"]) == (2, ["champion"], True)
    assert kept["release_digest"] == said["release_digest"], "what was tried is what is kept"


def test_an_experiment_asks_no_registry(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (house.root / "mlflow.db").unlink()
    ask(monkeypatch, house.root)
    assert next_adapter(house, "two", GOOD)["version"] == 0
    assert register.confirm(house.job())
    assert not (house.root / "mlflow.db").exists() and not (house.root / "mlruns").exists()


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A tree under git with inputs that git does not keep, and an experiment's folder below it."""
    tree = tmp_path / "tree"
    shelf = tree / "weights" / "judges"
    shelf.mkdir(parents=True)
    (shelf / "README.md").write_text("a shelf")
    (tree / ".gitignore").write_text(
        "/weights/judges/*\n!README.md\n/.dvc/\n/profiles/local.yaml\n"
    )
    names = ("sources", "facepack", "judge", "captioners", "classifiers", "synthesizer", "backbone")
    lines = ["profile: local", "judges: weights/judges", *(f"{name}: /{name}" for name in names)]
    (tree / "params.yaml").write_text("\n".join(lines))
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", "-C", str(tree), *words], check=True)
    inside = tree / ".dvc" / "tmp" / "exps" / "standalone" / "tmpabc"
    shutil.copytree(tree, inside, ignore=lambda folder, _: [".dvc", ".git"])
    (shelf / "dlib").mkdir()
    (shelf / "dlib" / "model.dat").write_bytes(b"weights")
    (tree / "profiles").mkdir()
    (tree / "profiles" / "local.yaml").write_text("title: mine\n")
    ask(monkeypatch, tree)
    return tree, inside


def test_what_git_does_not_keep_is_brought(beside: tuple[Path, Path]) -> None:
    tree, inside = beside
    assert aside.bring(inside) == ["profiles/local.yaml", "weights/judges/dlib/model.dat"]
    assert (inside / "weights" / "judges" / "dlib" / "model.dat").read_bytes() == b"weights"
    assert (inside / "profiles" / "local.yaml").read_text() == "title: mine\n"
    assert aside.bring(inside) == [] == aside.bring(tree)


def test_the_folder_is_the_root_and_the_books_are_the_trees(
    beside: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, inside = beside
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(consents.VARIABLE, raising=False)
    monkeypatch.setenv("MM_ROOT", str(tree))
    monkeypatch.chdir(inside)
    assert repository_root() == inside
    assert consents.path_below(inside) == consents.path_below(tree)
    tracker = Tracker(Layout(inside, "tiny").books, "pretrain")
    with tracker.running({}, {}):
        tracker.log({"loss": 0.5}, 1)
    assert not (inside / "mlflow.db").exists() and not (inside / "work").exists()
    client = store.open_client(Layout(tree, "tiny"))
    (run,) = client.search_runs([store.experiment_id(client, Layout(tree, "tiny"))])
    assert run.data.tags["dvc.experiment"] == "tidal-fowl"
    assert run.data.tags["dvc.baseline"] == "b" * 40
    monkeypatch.chdir(tree)
    assert repository_root() == tree, "MM_ROOT counts elsewhere"
    take_back(monkeypatch)
    assert os.environ["MM_ROOT"] == str(tree)


def test_a_run_s_record_does_not_make_the_tree_changed(tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.lock"):
        (tmp_path / name).write_text("a: 1\n")
    who = ["-c", "user.name=toy", "-c", "user.email=toy@localhost"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "toy"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    clean = git_revision(tmp_path)
    (tmp_path / "dvc.lock").write_text("a: 2\n")
    assert git_revision(tmp_path) == clean and clean and "+changed" not in clean
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert git_revision(tmp_path) == f"{clean}+changed"
