"""More than eight hundred hostile requests at the door of a real model, and what became of them."""

from __future__ import annotations

import collections
import concurrent.futures
import http.client
import json
import time
from typing import Any

import pytest

from mm_model.serving import example
from mm_model.serving.refusal import DEFECT, Code
from mm_model.serving.request import FIELDS
from mm_model.settings import load_profile
from tests.serving import corpus
from tests.serving.conftest import Server
from tests.serving.house import House

CLIENTS = 4
HANGS_AFTER = 60.0
STATUS = {Code.BUSY: 429, Code.CHUNKS: 411, Code.BODY_TOO_LARGE: 413, Code.BODY_TOO_SLOW: 408}
CODES = {code.value for code in Code}
_OUR_NAMES = ", ".join((*FIELDS, "dataframe_records", "dataframe_split"))


@pytest.fixture(scope="module")
def good(served_house: House) -> dict[str, Any]:
    return example.record(load_profile(served_house.root, "tiny"))


def sent(port: int, one: corpus.Hostile) -> tuple[corpus.Hostile, int, str, float]:
    """One request: status (0 when there was no reply), body, seconds."""
    started = time.monotonic()
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_AFTER)
    try:
        headers = {} if one.content_type is None else {"content-type": one.content_type}
        asked.request("POST", "/invocations", one.body, headers)
        reply = asked.getresponse()
        return one, reply.status, reply.read().decode(), time.monotonic() - started
    except (OSError, http.client.HTTPException) as error:
        return one, 0, repr(error), time.monotonic() - started
    finally:
        asked.close()


def fault_of(one: corpus.Hostile, status: int, text: str) -> str | None:
    """What is wrong with a reply."""
    if status == 0:
        return f"no reply: {text}"
    try:
        said = json.loads(text)
    except ValueError:
        return f"no JSON: {text[:80]}"
    if status == 200:
        notes = " ".join(said["predictions"][0]["notes"])
        return "echo" if corpus.MARK in notes else None
    if set(said) != {"error_code", "message", "refusal"}:
        return f"another form: {sorted(said)}"
    code, sentence = said["refusal"], said["message"]
    if status >= 500 or code == DEFECT:
        return f"class 500: {code}"
    if code not in CODES or status != STATUS.get(Code(code), 400):
        return f"undocumented: {status} {code}"
    if "Traceback" in text or 'File "' in text:
        return "trace"
    return "echo" if corpus.MARK in text or quotes(sentence, one.body) else None


def quotes(sentence: str, body: bytes, run: int = 16) -> bool:
    """Whether the sentence holds a run of the body's values; names of keys stand in quotes."""
    words = [word for word in body.decode("latin-1").split('"') if len(word) >= run]
    pieces = {
        word[at : at + run]
        for word in set(words)
        for at in range(0, min(len(word), 4000) - run + 1, run)
    }
    return any(piece in sentence for piece in pieces if piece not in _OUR_NAMES)


@pytest.mark.slow
def test_nothing_that_a_stranger_sends_breaks_it(
    behind_door: Server, good: dict[str, Any], capsys: pytest.CaptureFixture
) -> None:
    hostile = corpus.requests(good)
    assert len(hostile) >= 800
    before = behind_door.ask({**good, "seed": 5, "num_inference_steps": 2})
    assert before[0] == 200
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        replies = list(clients.map(lambda one: sent(behind_door.port, one), hostile))
    faults = [
        (one.kind, fault, one.body[:60])
        for one, status, text, _ in replies
        if (fault := fault_of(one, status, text)) is not None
    ]
    said = collections.Counter(
        json.loads(text)["refusal"] if status != 200 else "served"
        for _, status, text, _ in replies
        if status
    )
    with capsys.disabled():
        kinds = collections.Counter(one.kind for one in hostile)
        slowest = max(seconds for *_, seconds in replies)
        print(f"\n{len(hostile)} requests, {len(faults)} faults, slowest {slowest:.1f} s")
        print("sent:", dict(kinds.most_common()), "\nsaid:", dict(said.most_common()))
    assert not faults, faults[:10]
    assert behind_door.process.poll() is None
    assert behind_door.ask({**good, "seed": 5, "num_inference_steps": 2}) == before
    log = behind_door.log.read_text()
    assert "defect" not in log and corpus.MARK not in log
