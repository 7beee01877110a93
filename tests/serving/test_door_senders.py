"""The door and senders of a strange sort: more than one request, chunks, a body half sent."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from mm_model.serving import door
from tests.serving.doorway import Doorway, until
from tests.serving.test_door import free_way, inside, record, way, wrapped

__all__ = ["free_way", "way"]  # fixtures


@pytest.mark.parametrize("behind", [b"x" * 4096, b"GET /ping HTTP/1.1\r\n\r\n", b"x" * 400_000])
def test_who_sends_more_behind_a_request_is_noticed_when_he_goes(
    way: Doorway, behind: bytes
) -> None:
    first = way.send(record(1, num_inference_steps=5))
    until(lambda: way.engine.begun == [1])
    with contextlib.suppress(OSError):  # it may have been cut off
        first.sock.sendall(behind)
    first.close()
    until(lambda: any(visit.ended for visit in way.door._inside))
    way.engine.free.set()
    until(lambda: inside(way) == 0)
    assert way.engine.made[1] < 5
    assert way.ask(wrapped(record(2))).status == 200


def test_a_second_request_on_a_connection_waits_for_the_first(free_way: Doorway) -> None:
    one = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"
    last = one.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert free_way.raw(one + one + last).count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("piece", [b"1\r\n \r\n" * 100_000, b"zz\r\nhello", b'5\r\n{"a":\r\n'])
def test_chunks_are_not_read(way: Doorway, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_DRAIN_SECONDS", 0.2)
    head = (
        b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    began = time.process_time()
    said = way.raw(head + piece)
    assert time.process_time() - began < 2, "a piece that is not read costs nothing"
    assert said.startswith((b"HTTP/1.1 411", b"HTTP/1.1 400"))
    assert way.ask(wrapped(record()), "GET", "/ping").status == 200


def test_the_end_does_not_wait_for_a_body_on_its_way(way: Doorway) -> None:
    head = (
        b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: 500\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", way.port), 20) as half:
        half.sendall(head)
        until(lambda: way.door._arriving)
        way.close()
        assert half.recv(65536).startswith(b"HTTP/1.1 503")
