"""The door: what it holds at most, what runs beside the others, and what every reply says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from mm_model.facepack.detect import Sighting
from mm_model.serving import __main__ as process
from mm_model.serving import door
from tests.serving.conftest import one_face
from tests.serving.doorway import PATIENCE, Doorway, PacedEngine, answer, until
from tests.serving.test_door import config, filled, free_way, inside, record, way, wrapped
from tests.serving.test_request import picture

pytestmark = pytest.mark.capability("door limits", scale="T")

__all__ = ["free_way", "way"]  # fixtures

HEAD = (
    b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n"
)
LARGE = {"reference_images": [picture(size=170, seed=seed) for seed in range(3)]}
"""More than a body that is read where it arrives."""


def test_bodies_on_their_way_are_bounded_together(
    way: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders who never finish hold four bodies' room, not the machine's; small requests pass."""
    monkeypatch.setattr(door, "_DRAIN_SECONDS", 0.1)
    way.engine.free.set()
    most = way.door._most_bytes
    half = HEAD % most + b" " * (most - 1)
    with contextlib.ExitStack() as senders:
        for number in range(1, 5):
            one = senders.enter_context(socket.create_connection(("127.0.0.1", way.port), PATIENCE))
            one.sendall(half)
            until(lambda number=number: way.door._held == number * (most - 1))
        late = way.raw(half)
        assert late.startswith(b"HTTP/1.1 429") and b'"busy"' in late and b"retry-after" in late
        assert way.ask(wrapped(record(1))).status == 200
    until(lambda: way.door._held == 0)
    assert way.ask(wrapped(record(2, **LARGE))).status == 200


def test_all_clips_are_made_in_one_thread() -> None:
    """Each thread would keep threads of its own for the arithmetic, and memory."""
    threads: list[int] = []

    class Engine(PacedEngine):
        def generate(self, *given: Any) -> Any:
            threads.append(threading.get_ident())
            return super().generate(*given)

    with Doorway(config(waiting=6), Engine()) as way:
        asked = [way.send(record(seed)) for seed in range(7)]
        until(lambda: inside(way) == 7)
        way.engine.free.set()
        assert [answer(one).status for one in asked] == [200] * 7
    assert len(threads) == 7 and len(set(threads)) == 1


def answered_beside(way: Doorway, held: threading.Event, go: threading.Event) -> bool:
    """Whether others are answered while a request is held up; it goes on then."""
    try:
        until(held.is_set)
        asked = way.connection()
        asked.timeout = 5
        asked.request("GET", "/ping")
        refused = way.connection()
        refused.timeout = 5
        refused.request(
            "POST", "/invocations", wrapped(record(-1)), {"content-type": "application/json"}
        )
        return answer(asked).status == 200 and answer(refused).refusal == "seed"
    except TimeoutError:
        return False
    finally:
        go.set()


def test_a_large_body_is_read_beside_the_others(
    way: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go = threading.Event(), threading.Event()
    served = way.door._mirror
    read = served.read

    def slow(handed: Any) -> Any:
        if len(handed[0]["reference_images"]) == 3:
            held.set()
            go.wait(PATIENCE)
        return read(handed)

    monkeypatch.setattr(served, "read", slow)
    way.engine.free.set()
    asked = way.send(record(1, **LARGE))
    assert answered_beside(way, held, go)
    assert answer(asked).status == 200


def test_pictures_are_looked_at_beside_the_others() -> None:
    held, go = threading.Event(), threading.Event()

    def look(pixels: Any) -> Sighting:
        held.set()
        go.wait(PATIENCE)
        return one_face(pixels)

    with Doorway(config(), PacedEngine(), look) as way:
        way.engine.free.set()
        asked = way.send(record(1))
        assert answered_beside(way, held, go)
        assert answer(asked).status == 200


def test_files_are_let_go_once_their_pictures_were_opened(way: Doorway) -> None:
    """Who waits holds opened pictures or files, not both."""
    asked = filled(way)
    until(lambda: all(visit.references for visit in way.door._inside))
    kept = [len(file) for visit in way.door._inside for file in visit.request.references]
    assert kept == [0, 0, 0]
    way.engine.free.set()
    assert [answer(one).status for one in asked] == [200] * 3


def test_who_is_sent_away_at_the_end_is_told_when_to_come_back(way: Doorway) -> None:
    asked = filled(way)
    way.close()
    way.engine.steps.release()
    for one in asked:
        said = answer(one)
        assert said.status == 503 and int(said.headers["retry-after"]) >= 1


def test_no_reply_is_kept_by_a_cache(free_way: Doorway) -> None:
    """A reply shows a person, or says something of a request."""
    for sent in (wrapped(record()), wrapped(record(-1)), "{"):
        said = free_way.ask(sent)
        assert said.headers["cache-control"] == "no-store"
        assert said.headers["content-type"] == "application/json"


def test_a_reply_before_the_whole_body_says_that_the_connection_ends(
    free_way: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a client would send its next request into the middle of the last one."""
    monkeypatch.setattr(door, "_DRAIN_SECONDS", 0.1)
    head, _, _ = free_way.raw(HEAD % 10**9 + b"{").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413") and b"connection: close" in head.lower()
    kept = free_way.ask(wrapped(record(-1)))
    assert kept.refusal == "seed" and "connection" not in kept.headers


def test_what_is_said_twice_is_refused_and_nothing_chosen(free_way: Doorway) -> None:
    body = wrapped(record()).encode()
    head = HEAD.replace(b"json\r\n", b"json\r\ncontent-type: text/csv\r\n") % len(body)
    said = free_way.raw(
        head.replace(b"localhost\r\n", b"localhost\r\nconnection: close\r\n") + body
    )
    assert said.startswith(b"HTTP/1.1 400") and b'"content_type"' in said
    columns, row = [*record(), "seed"], [*record().values(), 8]
    table = {"dataframe_split": {"columns": columns, "data": [row]}}
    assert free_way.ask(json.dumps(table)).refusal == "not_one_record"


def test_asked_twice_the_server_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time it waits for the step under way, which may take minutes."""
    ended: list[int] = []
    closed: list[bool] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    stands_for_a_door = SimpleNamespace(close=lambda: closed.append(True))
    server = process.server(uvicorn.Config(lambda: None), stands_for_a_door)
    server.handle_exit(signal.SIGINT, None)
    assert (closed, ended, server.should_exit) == ([True], [], True)
    server.handle_exit(signal.SIGINT, None)
    assert ended == [128 + signal.SIGINT]
