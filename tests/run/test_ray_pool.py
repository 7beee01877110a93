"""The pool of a Ray cluster of two nodes: the contract of a pool, and a node that dies."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.tree import Tree
from mm_model.errors import UserError
from mm_model.faces import detection
from mm_model.run.pools import cluster, ray
from mm_model.run.pools.port import Crashed, Limits
from mm_model.run.pools.table import open_pool
from mm_model.store import digests
from tests.lifeline import family
from tests.run import pool_tasks as tasks
from tests.run.ray_tree import run_alone

pytest.importorskip("ray", reason="no ray here (make ray)")
pytestmark = [pytest.mark.capability("Ray", scale="T"), pytest.mark.usefixtures("on_ray")]


def _staffed(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None) -> list[int]:
    """Let a map begin when all workers are there; call `then` once, while all are at work.

    The list gets the number of workers that were at work then.
    """
    hear, at_work = ray.Ray._hear, list[int]()

    def heard(self: ray.Ray, library: Any, *others: Any) -> None:
        asked = [slot.asked for slot in self._slots if not slot.ready]
        if asked and not at_work:
            library.wait(asked, num_returns=len(asked), timeout=60)
        working = [slot for slot in self._slots if slot.places]
        if len(working) == len(self._slots) and not at_work:
            at_work.append(len(working))
            then()
        hear(self, library, *others)

    monkeypatch.setattr(ray.Ray, "_hear", heard)
    return at_work


def test_results_crashes_and_errors_are_those_of_one_machine(tmp_path: Path) -> None:
    with closing(open_pool(tasks.opened, 2)) as pool:
        results = list(pool.map(tasks.square, range(40)))
        assert [value for value, _ in results] == [n * n for n in range(40)]
        assert list(pool.map(tasks.does, ["gpus"])) == [""], "none is taken that was not asked for"
        found = list(pool.map(tasks.does, ["a", "die", "b", "leave", "large"]))
        assert found == ["a done", Crashed(), "b done", Crashed(), "x" * (3 << 20)]
        items = [(tmp_path / "mark", "one"), (tmp_path, "two")]
        assert list(pool.map(tasks.dies_once, items)) == ["one", "two"]
        found = list(pool.map(tasks.beside, [(tmp_path, number) for number in range(4)]))
        assert found[0] == ["at-work-0"], "a second try is alone"
        with pytest.raises(UserError, match="It is full: make room") as raised:
            list(pool.map(tasks.does, ["a", "user"]))
        assert "pool_tasks.py" in "".join(raised.value.__notes__)
        assert list(pool.map(tasks.does, ["a"])) == ["a done"]


def test_the_confined_are_bounded_and_never_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_model.run.pools import slot

    monkeypatch.setattr(slot.pickle, "loads", lambda _: pytest.fail("unpickled"))
    limits = Limits(seconds=2, memory_mb=200, tries=1, confined=True)
    asked = ["threads", "no json", "memory", "odd", "hang", "a"]
    with closing(open_pool(tasks.opened, 2, limits)) as pool:
        found = list(pool.map(tasks.does, asked))
    gone = Crashed()
    assert found == [[1, "1"], gone, gone, gone, Crashed(late=True), "a done"]


def test_what_a_start_raises_comes_out() -> None:
    with (
        closing(open_pool(tasks.refused, 2)) as pool,
        pytest.raises(UserError, match="no such pack"),
    ):
        list(pool.map(tasks.does, ["a"]))


def test_an_interrupt_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [(tmp_path, number, 600.0) for number in range(3)]

    def press() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    _staffed(monkeypatch)
    with closing(open_pool(tasks.opened, 2)) as pool:
        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            list(pool.map(tasks.noted, items))
        began = time.monotonic()
    assert time.monotonic() - began < 5
    workers = [int(path.name.partition("-")[2]) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    _all_gone(workers)


def _all_gone(numbers: list[int]) -> None:
    living = []
    for number in numbers:
        with contextlib.suppress(psutil.NoSuchProcess):
            living.append(psutil.Process(number))
    assert family.left(living, within=10) == []


def test_stages_give_the_same_bytes_though_a_node_dies(
    nodes: Any, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "_FRAMES_WORTH_A_PROCESS", 1)
    run_alone(tree)
    stages = ("ingest", "faces")
    alone = {stage: digests.of_folder(tree.output(stage)) for stage in stages}
    tree.forget(*stages)
    tree.run("ingest")
    at_work = _staffed(monkeypatch, lambda: _kill(nodes))
    tree.run("faces")
    nodes.add_node(num_cpus=1)
    assert at_work == [2], "nobody was at work when the node died"
    assert {stage: digests.of_folder(tree.output(stage)) for stage in stages} == alone


def _kill(nodes: Any) -> None:
    nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)


def test_what_a_dead_node_worked_on_is_begun_again_and_told_once(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_in_the_middle() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        _kill(nodes)

    at_work = _staffed(monkeypatch, kill_in_the_middle)
    items = [(tmp_path, number, 4.0 if number < 2 else 0.1) for number in range(12)]
    with closing(open_pool(tasks.opened, 2, Limits(tries=1))) as pool:
        assert list(pool.map(tasks.noted, items)) == list(range(12))
    nodes.add_node(num_cpus=1)
    assert at_work == [2]
    begun = [path.name.partition("-")[0] for path in tmp_path.iterdir()]
    assert len(begun) > len(set(begun)) == 12, "an item was begun by two processes"


def test_a_cluster_of_our_own_ends_with_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cluster.ADDRESS)
    code = (
        "import family, threading, time\n"
        "from mm_model.run.pools.table import open_pool\n"
        "pool = open_pool(family.number, 2)\n"
        "print(*pool.map(family.echo, [1]), file=open('/dev/null', 'w'))\n"
        "print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    processes = family.below(parent)
    (raylet,) = [one for one in processes if Path(one.cmdline()[0]).name == "raylet"]
    (folder,) = [word for word in raylet.cmdline() if word.startswith("--temp_dir=")]
    family.killed(parent, signal.SIGTERM)
    assert parent.returncode == -signal.SIGTERM
    assert family.left(processes, within=15) == []
    assert not Path(folder.partition("=")[2]).exists()
