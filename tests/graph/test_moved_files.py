"""A file of ours that moves makes nobody's finished outputs again; anything else still does."""

import hashlib
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.run.stages import file_of
from orchestration import bring_over
from tests.graph.conftest import STAGES, Tree

pytestmark = pytest.mark.slow


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


def rewrite(tree: Tree, monkeypatch: pytest.MonkeyPatch, *stages: str) -> None:
    """Write the stages' own files otherwise; the list holds what they were."""
    known = {}
    for stage in stages:
        path = tree.root / "source" / file_of(stage)
        name = path.relative_to(tree.root).as_posix()
        known[name] = (hashlib.md5(path.read_bytes()).hexdigest(),)
        path.write_text(path.read_text() + "\n# otherwise\n")
    monkeypatch.setattr(bring_over, "SAME_WORK", known)


def test_nothing_is_made_again_for_a_file_that_is_written_otherwise(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(done, monkeypatch, "sources", "faces")
    said = list(bring_over.outputs(done.root))
    assert [line.split(":")[0] for line in said] == ["sources", "faces"]
    assert all("counts on" in line and "is written otherwise now" in line for line in said)
    assert done.is_clean()
    done.dvc("repro")
    assert done.executed() == []
    assert list(bring_over.outputs(done.root)) == []


def test_a_file_that_is_written_otherwise_and_stands_on_no_list_is_other_work(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(done, monkeypatch, "faces")
    monkeypatch.setattr(bring_over, "SAME_WORK", {})
    assert list(bring_over.outputs(done.root)) == []
    done.dvc("repro", "faces")
    assert done.executed() == ["faces"]


def test_a_listed_file_with_other_settings_is_other_work(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(done, monkeypatch, "pairs")
    done.set("pairs", "cosine_above", 0.7)
    (said,) = bring_over.outputs(done.root)
    assert said == (
        "pairs: its code was parted and its output is made again, since its settings changed."
    )


def test_the_list_names_files_that_stages_are_known_by_and_nothing_of_today(root: Path) -> None:
    known = {f"mm_model/{file_of(stage)}" for stage in STAGES}
    for path, earlier in bring_over.SAME_WORK.items():
        assert path in known
        assert hashlib.md5((root / path).read_bytes()).hexdigest() not in earlier


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


def test_an_input_that_is_gone_is_not_called_moved_code(done: Tree) -> None:
    (done.root / "weights" / "captioners").rename(done.root / "elsewhere")
    (said,) = bring_over.outputs(done.root)
    assert said.startswith(
        "ingest: weights/captioners is gone and its output is made again, since params.yaml: "
        "captioners: weights/captioners does not exist"
    )
    assert said.endswith("there.") and ".." not in said


def test_a_damaged_lock_is_named(done: Tree) -> None:
    (done.root / "dvc.lock").write_text("{")
    with pytest.raises(UserError, match=r"dvc\.lock is damaged"):
        list(bring_over.outputs(done.root))
