"""The door over a real socket with an engine that waits for the test, and plain HTTP clients."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import uvicorn
from mlflow.models import Model
from mlflow.pyfunc import scoring_server

from mm_model.serving import __main__ as process
from mm_model.serving import connection, model, request
from mm_model.serving.door import Door
from mm_model.serving.mirror import Mirror
from tests.serving.conftest import one_face

PATIENCE = 60.0


class PacedEngine:
    """Makes a step whenever the test allows one; all at once when `free` is set."""

    max_frames = 17

    def __init__(self) -> None:
        self.free = threading.Event()
        self.steps = threading.Semaphore(0)
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.made: dict[int, int] = {}

    def check(self, wanted: request.Request) -> None:
        pass

    def unread(self, wanted: request.Request) -> tuple[str, ...]:
        return ("beyond",) * len(wanted.references)

    def unknown(self, wanted: request.Request) -> tuple[str, ...]:
        return ()

    known_words = ()

    def shots(self, requests: Any, references: Any, on_step: Any = None) -> Iterator[np.ndarray]:
        for wanted in requests:
            yield self.generate(wanted, references, on_step)

    def generate(self, wanted: request.Request, references: Any, on_step: Any = None) -> np.ndarray:
        self.begun.append(wanted.seed)
        try:
            for step in range(wanted.steps):
                while not self.free.is_set() and not self.steps.acquire(timeout=0.01):
                    pass
                self.made[wanted.seed] = step + 1
                on_step(step + 1, wanted.steps)
        finally:
            self.ended.append(wanted.seed)
        shape = (wanted.num_frames, wanted.height, wanted.width, 3)
        return np.full(shape, wanted.seed % 256, np.uint8)


class Doorway:
    """A running door; `engine` is paced by the test."""

    def __init__(
        self, config: Any, engine: Any, look: Any = one_face, most: int = 100, **rules: Any
    ) -> None:
        self.engine = engine
        served = model.MagicMirrorServed()
        served.mirror = Mirror(config, look, lambda: engine)

        def predict(model_input: Any, params: Any = None) -> Any:
            return served.predict(None, model_input, params)

        inner = scoring_server.init(SimpleNamespace(metadata=Model(), predict=predict))
        self.door = Door(inner, served.mirror, **rules)
        self._socket = process.bound("127.0.0.1", 0)
        self.port = self._socket.getsockname()[1]
        settings = uvicorn.Config(
            self.door, http=connection.protocol(most), ws="none", log_config=None, access_log=False
        )
        self._server = process.server(settings, self.door)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve([self._socket])

    def __enter__(self) -> Doorway:
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def __exit__(self, *_: Any) -> None:
        self.engine.free.set()
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """What Ctrl-C does first."""
        asyncio.run_coroutine_threadsafe(_call(self.door.close), self._loop).result(PATIENCE)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def send(self, record: Any, **headers: str) -> http.client.HTTPConnection:
        """A connection on which the record was sent and no reply was read."""
        asked = self.connection()
        body = json.dumps({"dataframe_records": [record]})
        asked.request("POST", "/invocations", body, {"content-type": "application/json", **headers})
        return asked

    def ask(
        self,
        body: bytes | str | None,
        method: str = "POST",
        path: str = "/invocations",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        asked = self.connection()
        given = {"content-type": "application/json"} if headers is None else headers
        asked.request(method, path, body, given)
        return answer(asked)

    def raw(self, sent: bytes) -> bytes:
        """All that comes back for these bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as opened:
            opened.sendall(sent)
            return b"".join(iter(lambda: opened.recv(65536), b""))


async def _call(act: Any) -> None:
    act()


class Answer(SimpleNamespace):
    """status, headers, body (text) and, for a refusal in our form, `refusal`."""


def answer(asked: http.client.HTTPConnection) -> Answer:
    """The reply on a connection; it is closed then."""
    reply = asked.getresponse()
    text = reply.read().decode()
    asked.close()
    refusal = None
    with contextlib.suppress(ValueError):
        said = json.loads(text)
        refusal = said.get("refusal") if isinstance(said, dict) else None
    return Answer(status=reply.status, headers=reply.headers, body=text, refusal=refusal)


def until(condition: Any) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


@contextlib.contextmanager
def opened(config: Any, **rules: Any) -> Iterator[Doorway]:
    with Doorway(config, PacedEngine(), **rules) as way:
        yield way
