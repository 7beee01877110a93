"""The DVC that gets ready beside a stage does what a new one would, and stays nowhere."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from orchestration.dvc_command import environment
from orchestration.ready_dvc import ReadyDvc
from tests.graph.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.conftest import Tree

SINGLE = ("repro", "--single-item", "settings")


@pytest.fixture
def ready(fresh: Tree) -> Iterator[ReadyDvc]:
    """In a tree in which nothing ran."""
    made = ReadyDvc(fresh.root)
    yield made
    made.leave()
    assert fresh.processes() == []


def _ran(ready: ReadyDvc, tree: Tree, *words: str, more: bool = False) -> tuple[int, str]:
    with ready.started((*SINGLE, *words), environment(tree.root), more) as group:
        said = "\n".join(group.lines())
        return group.wait(), said


def _waiting(tree: Tree) -> list[psutil.Process]:
    return [one for one in tree.processes() if "orchestration.ready_dvc" in one.cmdline()]


def _until_dead(process: psutil.Process) -> None:
    """Without taking its exit status from whoever started it."""
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, "it does not die"
            time.sleep(0.01)


def test_the_next_one_is_there_already_and_does_the_same(ready: ReadyDvc, fresh: Tree) -> None:
    assert _ran(ready, fresh, "sources", more=True)[0] == 0
    (waiting,) = _waiting(fresh)
    status, said = _ran(ready, fresh, "ingest", more=True)
    assert status == 0 and "[ingest] at work" in said
    assert not waiting.is_running()
    assert fresh.executed() == ["sources", "ingest"]
    by_hand = fresh.dvc(*SINGLE, "ingest").strip()
    assert _ran(ready, fresh, "ingest") == (0, by_hand)


def test_what_fails_in_it_fails(ready: ReadyDvc, fresh: Tree) -> None:
    assert _ran(ready, fresh, "sources", more=True)[0] == 0
    status, said = _ran(ready, fresh, "nobody", more=True)
    assert status == 255 and "'nobody'" in said


def test_one_that_died_meanwhile_is_not_waited_for(ready: ReadyDvc, fresh: Tree) -> None:
    assert _ran(ready, fresh, "sources", more=True)[0] == 0
    (waiting,) = _waiting(fresh)
    waiting.kill()
    _until_dead(waiting)
    assert _ran(ready, fresh, "ingest")[0] == 0
    assert fresh.executed() == ["sources", "ingest"]


@pytest.mark.slow
def test_a_run_leaves_none_behind(fresh: Tree) -> None:
    fresh.behave(ingest="audit")
    assert not fresh.dagster().success
    assert fresh.processes() == []
    fresh.behave()
    assert fresh.dagster().success
    assert fresh.processes() == []
