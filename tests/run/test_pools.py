"""Pools: results in order, and nothing that an item does costs another one its result."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.run.pools import local
from mm_model.run.pools.port import Crashed, Limits, Pool
from mm_model.run.pools.table import VARIABLE, open_pool
from tests.lifeline import family
from tests.run import pool_tasks as tasks

Opened = Callable[..., Pool]
ANY = Limits()


@pytest.fixture
def pool() -> Iterator[Opened]:
    """`pool(start, processes, limits)`: closed after the test."""
    made: list[Pool] = []

    def open_one(start: Any = tasks.opened, processes: int = 2, limits: Limits = ANY) -> Pool:
        made.append(open_pool(start, processes, limits))
        return made[-1]

    yield open_one
    for one in made:
        one.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("processes", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(pool: Opened, processes: int) -> None:
    results = list(pool(processes=processes).map(tasks.square, range(9)))
    assert [value for value, _ in results] == [n * n for n in range(9)]
    assert sum(orders == 1 for _, orders in results) <= max(1, processes)


@pytest.mark.parametrize("processes", [0, 2])
def test_no_items_are_no_results(pool: Opened, processes: int) -> None:
    assert list(pool(processes=processes).map(tasks.square, [])) == []


def test_what_a_worker_opened_serves_the_next_map(pool: Opened) -> None:
    one = pool(processes=1)
    first, second = (list(one.map(tasks.square, [4])) for _ in range(2))
    assert (first, second) == ([[16, 1]], [[16, 2]])
    one.close()
    assert list(one.map(tasks.square, [4])) == first


@pytest.mark.parametrize("way", ["die", "leave"])
def test_an_item_that_ends_its_worker_is_one_crash(pool: Opened, way: str) -> None:
    found = list(pool().map(tasks.does, ["a", way, "b", way, "c"]))
    assert found == ["a done", Crashed(), "b done", Crashed(), "c done"]


def test_who_died_once_is_tried_again(pool: Opened, tmp_path: Path) -> None:
    items = [(tmp_path / "mark", "one"), (tmp_path, "two")]
    assert list(pool().map(tasks.dies_once, items)) == ["one", "two"]


def test_one_try_is_one_try(pool: Opened, tmp_path: Path) -> None:
    items = [(tmp_path / "mark", "one"), (tmp_path, "two")]
    found = list(pool(limits=Limits(tries=1)).map(tasks.dies_once, items))
    assert found == [Crashed(), "two"]


def test_the_second_try_is_alone(pool: Opened, tmp_path: Path) -> None:
    """So that a second crash is nobody else's fault, who took the memory."""
    found = list(pool().map(tasks.beside, [(tmp_path, number) for number in range(4)]))
    assert found[0][-1:] == ["at-work-0"]
    others = {name for name in found[0] if name != "at-work-0"}
    assert others == set(), "nobody is at work beside an item that is tried again"


@pytest.mark.parametrize("way", ["hang", "tick for ever"])
def test_an_item_beyond_its_time_is_given_up(pool: Opened, way: str) -> None:
    limits = Limits(seconds=0.4, tries=1)
    found = list(pool(limits=limits).map(tasks.does, ["a", way, "b"]))
    assert found == ["a done", Crashed(late=True), "b done"]


@pytest.mark.parametrize("processes", [0, 1])
def test_ticks_are_heard(pool: Opened, processes: int) -> None:
    heard: list[None] = []
    one = pool(processes=processes)
    list(one.map(tasks.does, ["ticks", "a", "ticks"], lambda: heard.append(None)))
    assert len(heard) == 6
    list(one.map(tasks.does, ["ticks"]))
    assert len(heard) == 6


def test_what_a_task_raises_comes_out_with_its_words(pool: Opened) -> None:
    one = pool()
    with pytest.raises(UserError, match="It is full: make room") as raised:
        list(one.map(tasks.does, ["a", "user"]))
    assert "pool_tasks.py" in "".join(raised.value.__notes__)
    with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
        list(one.map(tasks.does, ["odd"]))
    assert list(one.map(tasks.does, ["a"])) == ["a done"]


def test_what_a_start_raises_comes_out_too(pool: Opened) -> None:
    with pytest.raises(UserError, match="no such pack"):
        list(pool(tasks.refused).map(tasks.does, ["a"]))
    assert list(pool(tasks.dies_at_start).map(tasks.does, ["a", "b"])) == [Crashed(), Crashed()]


@pytest.mark.parametrize("limits", [ANY, Limits(seconds=5, confined=True)])
def test_workers_that_never_begin_stop_the_work_and_blame_no_file(
    pool: Opened, limits: Limits
) -> None:
    with pytest.raises(UserError, match=r"5 worker processes in a row .* no file is to blame"):
        list(pool(tasks.dies_at_start, limits=limits).map(tasks.does, ["a"] * 9))


def test_a_large_result_arrives_whole(pool: Opened) -> None:
    for limits in (Limits(), Limits(confined=True)):
        (found,) = pool(limits=limits).map(tasks.does, ["large"])
        assert found == "x" * (3 << 20)


def test_the_confined_are_bounded_and_speak_json(pool: Opened) -> None:
    one = pool(limits=Limits(memory_mb=200, tries=1, confined=True), processes=1)
    asked = ["threads", "no json", "memory", "odd", "a"]
    assert list(one.map(tasks.does, asked)) == [[1, "1"], Crashed(), Crashed(), Crashed(), "a done"]


def test_a_result_of_the_confined_is_never_unpickled(
    pool: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.run.pools import local

    one = pool(limits=Limits(confined=True))
    monkeypatch.setattr(local.pickle, "loads", lambda _: pytest.fail("unpickled"))
    assert list(one.map(tasks.does, ["a", "b"])) == ["a done", "b done"]


def test_limits_without_a_process_are_refused() -> None:
    with pytest.raises(ValueError, match="process of their own"):
        open_pool(tasks.opened, 0, Limits(seconds=1))


def test_a_map_that_nobody_finishes_leaves_nobody(pool: Opened) -> None:
    results = pool().map(tasks.does, ["a", "hang"])
    assert next(results) == "a done"
    results.close()
    assert len(multiprocessing.active_children()) <= 1  # who did "a" waits for the next map


def test_closing_ends_who_is_still_at_work(pool: Opened) -> None:
    one = pool()
    results = one.map(tasks.does, ["a", "hang"])
    assert next(results) == "a done"
    one.close()
    assert not multiprocessing.active_children()
    results.close()
    assert list(one.map(tasks.does, ["b"])) == ["b done"]


def test_an_interrupt_ends_the_map_and_the_workers(pool: Opened) -> None:
    one = pool()
    timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(one.map(tasks.does, ["hang", "hang", "a"]))
    assert not multiprocessing.active_children()


def test_an_interrupt_that_ends_no_wait_is_heard_soon_after(pool: Opened) -> None:
    """It came just before the wait began: here another thread takes it, so that no wait ends."""
    one = pool()

    def press() -> None:
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGINT)
        if not heard.wait(30):  # deaf: let the map end by itself
            for worker in multiprocessing.active_children():
                worker.kill()

    heard, began = threading.Event(), time.monotonic()
    threading.Thread(target=press, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with pytest.raises(KeyboardInterrupt):
            list(one.map(tasks.does, ["hang", "hang", "a"]))
        assert time.monotonic() - began < 25
    finally:
        heard.set()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@pytest.mark.parametrize("confined", [False, True])
def test_workers_that_are_busy_end_with_their_parent(confined: bool) -> None:
    code = (
        "import family, sys, threading, time; from mm_model.run.pools.port import Limits\n"
        "from mm_model.run.pools.table import open_pool\n"
        f"pool = open_pool(family.number, 2, Limits(confined={confined}))\n"
        "act = lambda: list(pool.map(family.deaf, [1, 2]))\n"
        "threading.Thread(target=act, daemon=True).start(); time.sleep(2)\n"
        "print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    workers = [p for p in family.below(parent) if "--multiprocessing-fork" in p.cmdline()]
    assert len(workers) == 2
    family.killed(parent)
    assert family.left(workers) == []


def test_a_pool_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "moon")
    for processes in (1, 0):
        with pytest.raises(UserError, match="MM_POOL=moon is no pool: choose one of local"):
            open_pool(tasks.opened, processes)
    monkeypatch.setenv(VARIABLE, "ray")
    with closing(open_pool(tasks.opened, 0)) as here:
        assert list(here.map(tasks.does, ["a"])) == ["a done"]
    monkeypatch.setenv(VARIABLE, "")
    with closing(open_pool(tasks.opened, 1)) as usual:
        assert list(usual.map(tasks.does, ["a"])) == ["a done"]


@pytest.mark.parametrize("used_before", [False, True])
def test_an_interrupt_while_a_worker_is_given_its_item_leaves_none_behind(
    pool: Opened, monkeypatch: pytest.MonkeyPatch, used_before: bool
) -> None:
    one = pool(processes=1)
    if used_before:
        assert list(one.map(tasks.does, ["a"]))
    take = local._Worker.take

    def pressed(worker: local._Worker, place: int, order: bytes) -> None:
        take(worker, place, order)
        raise KeyboardInterrupt

    monkeypatch.setattr(local._Worker, "take", pressed)
    with pytest.raises(KeyboardInterrupt):
        list(one.map(tasks.does, ["hang"]))
    assert not multiprocessing.active_children()
