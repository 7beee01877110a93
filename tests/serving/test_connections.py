"""Connections that only hold on: half a request, however it comes, too many, replies untaken."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from mm_model.errors import UserError
from mm_model.serving import connection, door
from mm_model.serving.__main__ import bound
from tests.serving.doorway import PATIENCE, Doorway, opened, until
from tests.serving.test_door import config, filled, inside, record, way, wrapped

pytestmark = pytest.mark.capability("door limits", scale="T")

__all__ = ["way"]  # fixtures

PING = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"
HALF = b"GET /pi"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    """A door that gives little time to ask."""
    monkeypatch.setattr(door, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(connection, "_LAST_SECONDS", 0.05)
    with opened(config()) as running:
        yield running


def connected(way: Doorway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", way.port), PATIENCE)


def pinged(one: socket.socket) -> bytes:
    """The reply to one more request on this connection."""
    one.sendall(PING)
    said = b""
    while b"\r\n\r\n" not in said:
        got = one.recv(65536)
        assert got, said
        said += got
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    while len(body) < length:
        body += one.recv(65536)
    return head


def rest(one: socket.socket) -> bytes:
    """All that comes until the server closes."""
    return b"".join(iter(lambda: one.recv(65536), b""))


def refusal(said: bytes) -> tuple[int, str, str]:
    head, _, body = said.partition(b"\r\n\r\n")
    told = json.loads(body)
    return int(head.split()[1]), told["refusal"], told["message"]


def test_half_a_request_on_a_kept_connection_has_as_long_as_a_first(hasty: Doorway) -> None:
    for asked_before in range(3):
        with connected(hasty) as one:
            for _ in range(asked_before):
                assert pinged(one).startswith(b"HTTP/1.1 200")
            one.sendall(HALF)
            status, code, sentence = refusal(rest(one))
        assert (status, code) == (408, "body_too_slow")
        assert sentence == "The request did not arrive whole within 0.5 seconds."


@pytest.mark.parametrize("asked_before", [0, 1])
def test_bytes_that_trickle_buy_no_time(hasty: Doorway, asked_before: int) -> None:
    with connected(hasty) as one:
        for _ in range(asked_before):
            pinged(one)
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in PING[:-1] * 100:
                one.sendall(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - started > 10:
                    raise AssertionError("it was let go on")
        with contextlib.suppress(ConnectionResetError):
            assert b" 200 " not in rest(one)


def test_a_body_that_nobody_asked_for_does_not_hold_a_connection(hasty: Doorway) -> None:
    """A health check is answered without its body, which may be said to be endless."""
    with connected(hasty) as one:
        one.sendall(PING.replace(b"\r\n\r\n", b"\r\ncontent-length: 999999\r\n\r\n"))
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 10:
                one.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - started < 10
        with contextlib.suppress(ConnectionResetError):
            assert rest(one).count(b"HTTP/1.1") == 1


def test_half_a_request_behind_one_that_is_answered_has_its_time_afterwards(
    hasty: Doorway,
) -> None:
    first = hasty.send(record(1))
    until(lambda: hasty.engine.begun == [1])
    first.sock.sendall(HALF)
    time.sleep(1)  # twice the time, which does not run while the first is at work
    assert inside(hasty) == 1
    hasty.engine.free.set()
    said = rest(first.sock)
    assert said.startswith(b"HTTP/1.1 200") and said.count(b"HTTP/1.1 408") == 1


def test_who_asks_nothing_more_is_closed_and_who_asks_in_time_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "HEADER_SECONDS", 0.4)
    with opened(config()) as way, connected(way) as one:
        for _ in range(5):
            assert pinged(one).startswith(b"HTTP/1.1 200")
            time.sleep(0.2)
        one.sendall(PING[:10])
        time.sleep(0.1)
        one.sendall(PING[10:])
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        way._server.config.timeout_keep_alive = 0.3
        with connected(way) as idle:
            pinged(idle)
            started = time.monotonic()
            assert rest(idle) == b"" and time.monotonic() - started < 5


def test_a_full_house_takes_newcomers_for_those_who_only_hold_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.ExitStack() as held, opened(config(), most=10) as way:
        asked = way.send(record(1))
        until(lambda: way.engine.begun == [1])
        for number in range(40):
            one = held.enter_context(connected(way))
            if number % 2:
                pinged(one)
            one.sendall(HALF)
            assert way.ask(None, "GET", "/ping").status == 200
        until(lambda: len(way._server.server_state.connections) <= 10)
        way.engine.free.set()
        assert asked.getresponse().status == 200
    logged = [one for one in caplog.records if "connections are open" in one.getMessage()]
    assert len(logged) == 1 and logged[0].levelno == logging.WARNING
    assert "ulimit -n" in logged[0].getMessage()


def test_where_all_are_being_answered_a_newcomer_is_told(way: Doorway) -> None:
    crowd = way._server.config.http_protocol_class.crowd
    asked = filled(way)
    until(lambda: len(crowd._open) == 3)
    crowd._most = 3
    for _ in range(3):
        with connected(way) as one:
            one.sendall(PING)
            said = rest(one)
        assert refusal(said)[:2] == (429, "busy") and b"retry-after: 5" in said
        assert refusal(said)[2] == "Too many connections are open: try again later."
    way.engine.free.set()
    assert [one.getresponse().status for one in asked] == [200] * 3
    for one in asked:
        one.close()
    until(lambda: not crowd._open)
    assert way.ask(None, "GET", "/ping").status == 200


def test_a_reply_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_TAKEN_SECONDS", 0.5)
    with opened(config()) as way, socket.socket() as one:
        way._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", way.port))
        state = way._server.server_state
        until(lambda: state.connections)
        (held,) = state.connections
        sent = 0
        while not held.flow.write_paused:  # fewer at once than are cut off as sent ahead
            one.sendall(PING * 200)
            sent += 200
            until(lambda sent=sent: held.flow.write_paused or state.total_requests >= sent)
        until(lambda: not state.connections)
        assert way.ask(wrapped(record(-1))).refusal == "seed"


def test_there_are_never_more_than_open_files_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    for files in (64, 256, 1024, 4096, 1 << 20, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        most, at_once = connection.room()
        assert 1 <= most <= 1000 and 8 <= at_once <= 128
        assert files == resource.RLIM_INFINITY or most + 4 * at_once <= files


@pytest.mark.parametrize(
    ("sent", "status", "code", "words"),
    [
        (PING[:-2] + b"x: " + b"y" * 200_000, 431, "head_too_large", "headers are larger than"),
        (b"GET /" + b"y" * 200_000, 431, "head_too_large", "larger than 16384 bytes"),
        (PING[:-2] + b"".join(b"x-%d: y\r\n" % n for n in range(9000)), 431, "head_too_large", ""),
        (PING[:-2] + b"content-length: " + b"9" * 31 + b"\r\n\r\n", 400, "bad_http", "20 digits"),
        (PING[:-2] + b"content-length: many\r\n\r\n", 400, "bad_http", "Content-Length must be"),
        (PING[:-2] + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "bad_http", "must be"),
        (PING[:-2] + b"host: localhost\r\n\r\n", 400, "bad_http", "one Host header"),
        (b"GET /ping HTTP/1.1\r\n\r\n", 400, "bad_http", "one Host header"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "bad_http", "no HTTP/1.1 request"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    hasty: Doorway, sent: bytes, status: int, code: str, words: str
) -> None:
    said = refusal(hasty.raw(sent))
    assert said[:2] == (status, code) and words in said[2]
    assert "yyyy" not in said[2] and "9999" not in said[2]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no.such.invalid", "There is no host no.such.invalid "),
        ("256.1.1.1", "There is no host 256.1.1.1 "),
        ("a" * 70 + ".example", "is no host's name"),
        ("203.0.113.1", "203.0.113.1 is no address of this machine"),
    ],
)
def test_a_host_that_is_none_is_not_taken_for_a_port_in_use(host: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        bound(host, 0)
    said = str(caught.value)
    assert words in said and said.endswith("with --host.") and "end what uses it" not in said


def test_a_port_in_use_is_named() -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(UserError, match="end what uses it, or name another with --port"):
            bound("127.0.0.1", taken.getsockname()[1])
