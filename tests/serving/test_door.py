"""The door: places, refusals at any load, senders who go away, and an orderly end."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.facepack.detect import Sighting
from mm_model.serving import door
from mm_model.serving.__main__ import bound
from mm_model.serving.config import ServingConfig, of_profile
from mm_model.serving.refusal import Code
from tests.serving.conftest import one_face
from tests.serving.doorway import Doorway, PacedEngine, answer, opened, until
from tests.serving.test_request import GOOD, LIMITS, PROFILE, picture

pytestmark = pytest.mark.capability("door limits", scale="T")

STEPS = 5
DIGESTS = {"adapter": "a", "backbone": "b", "facepack": "c"}


def config(**limits: Any) -> ServingConfig:
    serve = LIMITS.model_copy(update={"waiting": 2, "max_reference_bytes": 100_000, **limits})
    return of_profile(PROFILE.model_copy(update={"serve": serve}), DIGESTS)


def record(seed: int = 1, **change: Any) -> dict[str, Any]:
    return {**GOOD, "seed": seed, "num_inference_steps": STEPS, "num_frames": 1, **change}


def wrapped(one: Any) -> str:
    return json.dumps({"dataframe_records": [one]})


@pytest.fixture
def way() -> Iterator[Doorway]:
    with opened(config()) as running:
        yield running


@pytest.fixture(scope="module")
def free_way() -> Iterator[Doorway]:
    """One whose engine never waits."""
    with opened(config(), hosts=["mirror.example"]) as running:
        running.engine.free.set()
        yield running


def inside(way: Doorway) -> int:
    return len(way.door._inside)


def filled(way: Doorway) -> list[Any]:
    """One at work and two that wait."""
    asked = []
    for seed in (1, 2, 3):
        asked.append(way.send(record(seed)))
        until(lambda: inside(way) == len(asked))
    until(lambda: way.engine.begun == [1])
    return asked


def test_a_full_house_says_so_at_once_and_serves_who_is_inside(way: Doorway) -> None:
    asked = filled(way)
    for seed in range(10, 20):
        said = way.ask(wrapped(record(seed)))
        assert (said.status, said.refusal) == (429, "busy")
        assert int(said.headers["retry-after"]) >= 1
    way.engine.free.set()
    assert [answer(one).status for one in asked] == [200] * 3
    assert way.engine.begun == [1, 2, 3]
    assert way.ask(wrapped(record(4))).status == 200


def test_bad_requests_and_health_are_answered_in_a_full_house(way: Doorway) -> None:
    asked = filled(way)
    for change, code in (
        ({"seed": -1}, "seed"),
        ({"consent": None}, "no_consent"),
        ({"prompt": ""}, "prompt_empty"),
        ({"reference_images": ["%"]}, "not_base64"),
        ({"face": 1}, "unknown_field"),
    ):
        said = way.ask(wrapped({**record(), **change}))
        assert (said.status, said.refusal) == (400, code)
    for place in ("/ping", "/health", "/version"):
        assert way.ask(None, "GET", place).status == 200
    assert way.engine.made == {}
    way.engine.free.set()
    assert [answer(one).status for one in asked] == [200] * 3


def test_work_stops_at_the_next_step_when_its_sender_goes(way: Doorway) -> None:
    first, second = way.send(record(1)), way.send(record(2))
    until(lambda: way.engine.begun == [1] and inside(way) == 2)
    way.engine.steps.release()
    until(lambda: way.engine.made == {1: 1})
    first.close()
    until(lambda: any(visit.ended for visit in way.door._inside))
    way.engine.steps.release()
    until(lambda: way.engine.ended == [1])
    assert way.engine.made[1] == 2
    way.engine.free.set()
    assert answer(second).status == 200


def test_who_goes_while_waiting_is_never_begun_and_leaves_his_place(way: Doorway) -> None:
    first, *waiting = filled(way)
    for one in waiting:
        one.close()
    latecomer = way.send(record(9))
    until(lambda: inside(way) == 2)
    way.engine.free.set()
    assert answer(first).status == answer(latecomer).status == 200
    assert way.engine.begun == [1, 9]


def test_opened_pictures_are_held_for_few_and_bad_ones_are_refused_early() -> None:
    looked: list[Any] = []

    def look(pixels: Any) -> Any:
        looked.append(pixels)
        return Sighting(()) if pixels.shape[0] == 50 else one_face(pixels)

    faceless = record(3, reference_images=[picture(size=50)])
    with Doorway(config(waiting=6), PacedEngine(), look) as way:
        asked = [way.send(record(1))]
        until(lambda: way.engine.begun == [1])
        for seed in range(2, 8):
            asked.append(way.send(record(seed) if seed != 3 else faceless))
            until(lambda: inside(way) >= len(asked) - 1)
        refused = answer(asked.pop(2))
        assert (refused.status, refused.refusal) == (400, "no_face")
        until(lambda: len(looked) == 4)  # those of 1 and 2, the faceless one, and 4
        assert way.engine.begun == [1] and inside(way) == 6
        way.engine.free.set()
        assert [answer(one).status for one in asked] == [200] * 6
        assert way.engine.begun == [1, 2, 4, 5, 6, 7] and len(looked) == 7


@pytest.mark.parametrize(
    ("host", "port", "word"),
    [
        ("127.0.0.1", 70000, "no port"),
        ("203.0.113.1", 0, "no address of this machine"),
        ("no.such.invalid", 0, "no host"),
    ],
)
def test_an_address_that_is_none_is_said_in_a_sentence(host: str, port: int, word: str) -> None:
    with pytest.raises(UserError, match=word):
        bound(host, port)


def test_a_body_that_was_not_sent_whole_leaves_nothing_behind(way: Doorway) -> None:
    with socket.create_connection(("127.0.0.1", way.port)) as opened_socket:
        opened_socket.sendall(
            b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 5000\r\n\r\n{"
        )
        until(lambda: way.door._held == 1)
    until(lambda: way.door._held == 0)
    assert inside(way) == 0


def test_a_large_body_is_refused_before_it_is_read(
    free_way: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_DRAIN_SECONDS", 0.5)
    most = free_way.door._most_bytes
    assert free_way.ask(b" " * (most + 1)).refusal == "body_too_large"
    pieces = (b" " * 60_000 for _ in range(most // 60_000 + 2))  # comes in chunks
    assert free_way.ask(pieces).refusal == "chunks"
    declared = free_way.raw(
        b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % 10**15
    )
    assert declared.startswith(b"HTTP/1.1 413") and b"body_too_large" in declared
    assert free_way.ask(wrapped(record())).status == 200


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_DRAIN_SECONDS", 0.1)
    with opened(config(body_seconds=0.2)) as way:
        said = way.raw(
            b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 5000\r\n\r\n{"
        )
        assert said.startswith(b"HTTP/1.1 408") and b"body_too_slow" in said


def test_a_connection_that_asks_for_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEADER_SECONDS", 0.2)
    with opened(config()) as way:
        assert way.raw(b"") == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:5000", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
        ("mirror.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.", 403),
        ("", 403),
        ("evil.example:5000", 403),
    ],
)
def test_it_is_asked_under_names_it_knows(free_way: Doorway, host: str, status: int) -> None:
    said = free_way.ask(None, "GET", "/ping", {"host": host})
    assert said.status == status
    assert status == 200 or said.refusal == "host"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/invocations", "method"),
        ("POST", "/ping", "method"),
        ("OPTIONS", "/invocations", "method"),
        ("GET", "/docs", "not_found"),
        ("GET", "/openapi.json", "not_found"),
        ("POST", "/invocations/", "not_found"),
        ("GET", "/../etc/passwd", "not_found"),
        ("GET", "/%2e%2e/%2e%2e/etc", "not_found"),
    ],
)
def test_nothing_else_is_there(free_way: Doorway, method: str, path: str, code: str) -> None:
    said = free_way.ask(None, method, path)
    assert said.refusal == code
    assert path.strip("/") not in said.body or path in ("/invocations", "/ping", "/invocations/")


BEYOND = {
    "params": ({"params": {"seed": 3}}, "unknown_field", "params"),
    "another": ({"signature_name": "x"}, "unknown_field", "signature_name"),
    "a long one": ({"k" * 500: 1}, "unknown_field", "beside the record"),
    "a second record": ({"inputs": [record()]}, "not_one_record", "one record"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_nothing_beside_the_record_is_dropped(free_way: Doorway, name: str) -> None:
    extra, code, word = BEYOND[name]
    said = free_way.ask(json.dumps({"dataframe_records": [record()], **extra}))
    assert (said.status, said.refusal) == (400, code)
    assert word in json.loads(said.body)["message"] and "k" * 20 not in said.body


GARBAGE = {
    "nothing": b"",
    "no JSON": b"{'prompt': 1}",
    "broken Unicode": b'{"dataframe_records": [{"prompt": "\xff\xfe"}]}',
    "another coding": wrapped(record()).encode("utf-16"),
    "deep": b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeper": b"[" * 200_000,
    "deep objects": b'{"a":' * 30_000,
    "a giant number": b'{"inputs": [{"seed": ' + b"9" * 6000 + b"}]}",
    "many small things": b'{"inputs": [' + b"1," * 100_000 + b"1]}",
    "many escapes": b'{"inputs": "' + b"\\u0041" * 30_000 + b'"}',
    "a key twice": b'{"inputs": [], "inputs": []}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_body_that_is_no_json_gets_a_clean_refusal(free_way: Doorway, name: str) -> None:
    said = free_way.ask(GARBAGE[name])
    assert (said.status, said.refusal) == (400, "not_json")
    assert set(json.loads(said.body)) == {"error_code", "message", "refusal"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"seed": 10**400}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": float("nan")}, "wrong_type"),
        ({"guidance_scale": float("inf")}, "guidance"),
        ({"guidance_scale": 10**400}, "guidance"),
        ({"num_frames": -(2**63)}, "frame_count"),
        ({"height": 10**400}, "size"),
        ({"prompt": "a man \ud800"}, "prompt_characters"),
        ({"consent": float("nan")}, "consent_form"),
        ({"num_inference_steps": True}, "wrong_type"),
        ({"reference_images": {"a": 1}}, "wrong_type"),
    ],
)
def test_odd_values_get_their_own_refusal(free_way: Doorway, change: Any, code: str) -> None:
    said = free_way.ask(wrapped({**record(), **change}))
    assert (said.status, said.refusal) == (400, code)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/csv",
        "application/vnd.apache.parquet",
        "text/plain",
        "application/x",
        "application/json; charset=latin-1",
        "application/json; x=y",
        "\x00",
        "a" * 300,
    ],
)
def test_other_contents_are_refused(free_way: Doorway, kind: str | None) -> None:
    said = free_way.ask(wrapped(record()), headers={} if kind is None else {"content-type": kind})
    assert said.status == 400 and said.refusal in ("content_type", "bad_http")
    assert not kind or len(kind) < 2 or kind not in said.body


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_every_form_of_a_record_gives_the_same_clip(free_way: Doorway, kind: str) -> None:
    one = record(77)
    table = {"columns": list(one), "data": [list(one.values())]}
    bodies = [
        {"dataframe_records": [one]},
        {"inputs": [one]},
        {"inputs": one},
        {"instances": [one]},
        {"dataframe_split": table},
    ]
    said = {free_way.ask(json.dumps(body), headers={"content-type": kind}).body for body in bodies}
    (reply,) = said
    assert "video_mp4" in reply and "text encoder: 1." in reply


def test_what_is_no_http_gets_a_refusal_in_our_form(free_way: Doorway) -> None:
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\n\r\n",
    ):
        said = free_way.raw(sent)
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400"), said[:200]
        assert json.loads(body)["refusal"] == Code.BAD_HTTP


def test_a_defect_of_ours_says_nothing_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    def broken(wanted: Any, *_: Any) -> Any:
        raise RuntimeError(wanted.prompt)

    caplog.set_level(logging.INFO)
    for part in ("generate", "check"):
        with opened(config()) as way:
            setattr(way.engine, part, broken)
            said = way.ask(wrapped(record(prompt="a man with a kumquat")))
        assert (said.status, said.refusal) == (500, "defect")
        assert "kumquat" not in said.body and "/" not in json.loads(said.body)["message"]
    assert "kumquat" not in caplog.text and "RuntimeError" in caplog.text


def test_the_end_sends_away_who_waits_and_stops_the_work(way: Doorway) -> None:
    asked = filled(way)
    way.close()
    said = [answer(one) for one in asked[1:]]
    way.engine.steps.release()
    said.append(answer(asked[0]))
    assert [(one.status, one.refusal) for one in said] == [(503, "stopping")] * 3
    assert way.engine.begun == [1] and way.engine.made == {1: 1}
    assert way.ask(wrapped(record(5))).refusal == "stopping"


def test_many_bad_requests_at_once_are_all_answered_beside_work(way: Doorway) -> None:
    import threading

    asked = filled(way)
    found: list[Any] = []

    def ask() -> None:
        for _ in range(10):
            found.append(way.ask(wrapped(record(-1))).refusal)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["seed"] * 160 and time.monotonic() - started < 20
    way.engine.free.set()
    assert [answer(one).status for one in asked] == [200] * 3
