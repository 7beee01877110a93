"""A running door and a client of it, for the serving benchmarks."""

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.serving import example, launch
from mm_model.settings import load_params, load_profile
from mm_model.store.layout import Layout, repository_root

_START_SECONDS = 300
_REPLY_SECONDS = 600


def add_folder(command: argparse.ArgumentParser) -> None:
    """The option that names a release; `release` reads it."""
    command.add_argument("--folder", type=Path, help="a released model's folder; the champion's")


@dataclass(frozen=True)
class Reply:
    """`seconds` from the first byte sent to the last received."""

    status: int
    seconds: float
    retry_after: float
    body: bytes


def ask(port: int, method: str, path: str, body: bytes | None = None) -> Reply:
    """One request to the door at that port of this machine, and its whole reply."""
    started = time.perf_counter()
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=_REPLY_SECONDS)
    with contextlib.closing(asked):
        asked.request(method, path, body, {"content-type": "application/json"})
        reply = asked.getresponse()
        content = reply.read()
    seconds = time.perf_counter() - started
    return Reply(reply.status, seconds, float(reply.headers.get("retry-after", 0)), content)


class Running:
    """A door in a process of its own."""

    def __init__(self, folder: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command, environment = launch.door_command(folder, "127.0.0.1", self.port)
        with log.open("wb") as written:
            self.process = subprocess.Popen(
                command, env=environment, stdout=written, stderr=written, start_new_session=True
            )
        self._log = log

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.get("/ping").status == 200:
                    return
            time.sleep(0.2)
        raise UserError(f"The server did not start: see {self._log}.")

    def get(self, path: str) -> Reply:
        """One GET."""
        return ask(self.port, "GET", path)

    def post(self, body: bytes) -> Reply:
        """One POST to /invocations."""
        return ask(self.port, "POST", "/invocations", body)

    @property
    def megabytes(self) -> float:
        """Memory that the process holds."""
        import psutil

        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A door that answers, ended with the block."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        opened = Running(folder, Path(place) / "door.log")
        try:
            opened.wait()
            yield opened
        finally:
            opened.stop()


def release(options: argparse.Namespace) -> Path:
    """The folder of the release to measure: the one named, else this tree's champion."""
    return options.folder if options.folder is not None else champion()[0]


def champion() -> tuple[Path, str]:
    """The folder of this tree's champion, checked, and its release digest."""
    from mm_model.register import served

    layout = _layout()
    name = load_profile(layout.root, layout.profile).register_.model_name
    return served.checked_folder(layout, name), served.chosen(layout, name).digest


def record(steps: int | None = None) -> dict[str, Any]:
    """The example's record, with another number of steps if one is given."""
    layout = _layout()
    found = example.record(load_profile(layout.root, layout.profile))
    return found if steps is None else {**found, "num_inference_steps": steps}


def body(one: dict[str, Any]) -> bytes:
    """The record as a request's body."""
    return json.dumps({"dataframe_records": [one]}).encode()


def tell(*said: object) -> None:
    """A line beside the result."""
    print(*said, file=sys.stderr, flush=True)


def _layout() -> Layout:
    root = repository_root()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return Layout(root, load_params(root).profile)
