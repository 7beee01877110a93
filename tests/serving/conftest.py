"""Serving fixtures: a served champion over a real socket (one start a session), a fake engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_model.facepack.detect import Sighting
from mm_model.facepack.port import Face
from tests.serving.house import House, metrics

START_SECONDS = 180


class FakeEngine:
    """Frames made of the seed alone; stands for the pipeline where only the front is tested."""

    max_frames = 17

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def check(self, request: Any) -> None:
        pass

    def unread(self, request: Any) -> tuple[str, ...]:
        return tuple(request.prompt.split()[40:])

    def unknown(self, request: Any) -> tuple[str, ...]:
        return tuple(word for word in request.prompt.split() if word == "xyzzy")

    known_words = ("a", "man", "smiles")

    def shots(self, requests: Any, references: Any, on_step: Any = None) -> Iterator[np.ndarray]:
        for request in requests:
            yield self.generate(request, references, on_step)

    def generate(self, request: Any, references: Any, on_step: Any = None) -> np.ndarray:
        self.calls.append((request, references))
        for index in range(request.steps if on_step else 0):
            on_step(index + 1, request.steps)
        rng = np.random.default_rng(request.seed)
        size = (request.num_frames, request.height, request.width, 3)
        return rng.integers(0, 256, size, dtype=np.uint8)


def one_face(pixels: np.ndarray) -> Sighting:
    """A detector that sees one face in everything."""
    side = float(min(pixels.shape[:2]))
    box = np.array([0, 0, side, side], np.float32)
    return Sighting((Face(box, 0.9, np.full((5, 2), side / 2, np.float32)),))


class Server:
    """`mlflow models serve` as a user starts it; with `door`, the project's own command."""

    def __init__(
        self,
        root: Path,
        door: bool = False,
        log: Path | None = None,
        prefix: Sequence[str] = (),
        words: Sequence[str] = (),
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = log or root / ("door.log" if door else "serve.log")
        binaries = Path(sys.executable).parent
        kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
        environment = {
            **kept,
            "PATH": f"{binaries}:/usr/bin:/bin",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "HF_HUB_OFFLINE": "1",
        }
        stock = "models serve -m models:/magic-mirror@champion --env-manager local -t 3600 -p"
        command = [str(binaries / "mlflow"), *stock.split(), str(self.port)]
        if door:
            command = [sys.executable, "-m", "mm_model", "serve", "--port", str(self.port), *words]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*prefix, *command],
                cwd=root,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.3)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-3000:]}")

    def post(self, body: Any, raw: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations",
            raw if raw is not None else json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ask(self, record: Any) -> tuple[int, str]:
        return self.post({"dataframe_records": [record]})

    def stop(self) -> None:
        """End the whole group: the scorer's own server is a child that must not outlive it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture(scope="session")
def pack_and_size(root: Path) -> tuple[Path, int]:
    """The shipped face pack and its detection size."""
    pack = root / "weights" / "tiny" / "facepack" / "models" / "tiny"
    if not (pack / "recognizer.onnx").is_file():
        pytest.skip("weights/tiny/facepack is not there (make weights)")
    return pack, 160


@pytest.fixture(scope="session")
def served_house(tmp_path_factory: Any, pack_and_size: tuple[Path, int]) -> House:
    """A root whose random adapter is the registered champion."""
    house = House(tmp_path_factory.mktemp("served") / "root", *pack_and_size)
    house.real_weights()
    house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
    assert house.register()["aliases"] == ["champion"]
    return house


@pytest.fixture(scope="session")
def server(served_house: House) -> Iterator[Server]:
    """The champion, served from its root with nothing exported."""
    running = Server(served_house.root)
    try:
        running.wait()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def behind_door(served_house: House) -> Iterator[Server]:
    """The champion behind the door, one start a file."""
    running = Server(served_house.root, door=True)
    try:
        running.wait()
        yield running
    finally:
        running.stop()
