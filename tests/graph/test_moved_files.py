"""A file of ours that moves makes nobody's finished outputs again; anything else still does."""

from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.run.stages import file_of
from orchestration import bring_over
from tests.graph.conftest import STAGES, Tree


def move(tree: Tree, *stages: str) -> None:
    """Give the stages' own files other names, in the tree and in its graph."""
    graph = (tree.root / "dvc.yaml").read_text()
    for stage in stages:
        old = Path("source") / file_of(stage)
        new = old.with_name(f"other_{old.name}")
        (tree.root / old).rename(tree.root / new)
        assert f"- {old}\n" in graph
        graph = graph.replace(f"- {old}\n", f"- {new}\n")
    (tree.root / "dvc.yaml").write_text(graph)


def test_nothing_is_made_again_for_a_moved_file(done: Tree) -> None:
    move(done, *STAGES)
    assert not done.is_clean()
    said = list(bring_over.outputs(done.root))
    assert [line.split(":")[0] for line in said] == list(STAGES)
    assert all("counts on" in line for line in said)
    assert done.is_clean()
    done.dvc("repro")
    assert done.executed() == []
    assert list(bring_over.outputs(done.root)) == []


def test_other_settings_or_another_version_are_other_work(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(done, "faces", "pairs")
    done.set("pairs", "cosine_above", 0.7)
    faces, pairs = bring_over.outputs(done.root)
    assert "counts on" in faces
    assert pairs == (
        "pairs: its code moved and its output is made again, since its settings changed."
    )
    done.dvc("repro", "pairs")
    assert done.executed() == ["pairs"]
    load = bring_over.stages.load
    newer = {"ingest": load("ingest").__class__(**{**vars(load("ingest")), "version": 99})}
    monkeypatch.setattr(bring_over.stages, "load", lambda name: newer.get(name) or load(name))
    move(done, "ingest")
    (said,) = bring_over.outputs(done.root)
    assert said.startswith("ingest: its code moved and its output is made again, since version 99")
    assert not done.is_clean()


@pytest.mark.parametrize("damage", ["a byte", "no manifest", "nothing there"])
def test_a_damaged_output_is_not_taken_over(done: Tree, damage: str) -> None:
    folder = done.root / "data" / "tiny" / "ingest"
    path = folder / {"a byte": "result.txt"}.get(damage, "manifest.json")
    content = path.read_bytes()
    path.unlink()
    if damage == "a byte":
        path.write_bytes(content[:-1] + b"~")
    if damage == "nothing there":
        folder.rename(done.root / "data" / "elsewhere")
    move(done, "ingest")
    (said,) = bring_over.outputs(done.root)
    assert said.startswith("ingest: its code moved and its output is made again, since ")
    assert not done.is_clean()


def test_a_file_that_changed_where_it_lies_runs_its_stage(done: Tree) -> None:
    (done.root / "source" / file_of("faces")).write_text("# version 2\n")
    assert list(bring_over.outputs(done.root)) == []
    done.dvc("repro", "faces")
    assert done.executed() == ["faces"]


def test_a_damaged_lock_is_named(done: Tree) -> None:
    (done.root / "dvc.lock").write_text("{")
    with pytest.raises(UserError, match=r"dvc\.lock is damaged"):
        list(bring_over.outputs(done.root))
