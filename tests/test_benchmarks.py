"""The benchmarks' form: one line of JSON, a goal that holds or not, names that are listed."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks.result import Result
from benchmarks.tree import Tree, draw
from mm_model.store import tables


def test_the_list_names_modules_that_can_run(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["list"]) == 0
    said = capsys.readouterr().out
    for name in command.NAMES:
        assert name in said
        module = importlib.import_module(f"benchmarks.{name}")
        assert callable(module.run) and module.GOAL > 0


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (Result(1.04, 1.05, 30), True),
        (Result(1.06, 1.05, 30), False),
        (Result(0.95, 0.9, 5, at_most=False), True),
        (Result(0.8, 0.9, 5, at_most=False), False),
    ],
)
def test_one_line_says_whether_the_goal_holds(
    result: Result, holds: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    module = SimpleNamespace(options=lambda _: None, run=lambda _: result)
    monkeypatch.setattr(command.importlib, "import_module", lambda _: module)
    assert command.main(["serving_overhead"]) == (0 if holds else 1)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert list(said) == ["name", "ratio", "goal", "holds", "repeats", "hardware"]
    assert (said["name"], said["holds"]) == ("serving_overhead", holds)


def test_a_benchmark_s_tree_takes_drawn_files_through_the_data_stages(tmp_path: Path) -> None:
    draw(tmp_path / "files", 0, 4, size=96)
    (tmp_path / "tree").mkdir()
    tree = Tree(tmp_path / "tree" / "root")
    tree.use(tmp_path / "files")
    tree.set("ingest", min_side=64)
    assert tree.run() > 0
    assert tables.number_of_rows(tree.output("faces") / "samples.parquet") == 4
    tree.forget()
    assert not tree.output("faces").exists()
