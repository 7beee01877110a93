"""A follower in a process of its own, and who asks what it serves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tests.serving.doorway import until
from tests.serving.follower import release

REPOSITORY = Path(__file__).resolve().parents[2]


def point(place: Path, version: int) -> None:
    """Let the registry's alias name that version."""
    aside = place / "aside.json"
    aside.write_text(json.dumps({"version": version, "digest": str(version) * 4}))
    aside.replace(place / "registry.json")


def begun(place: Path, *words: str, searched: Path | None = None) -> subprocess.Popen:
    """A follower's process in `place`, which has a release, and writes there into `log`."""
    point(place, 1)
    paths = [str(one) for one in (searched, REPOSITORY) if one is not None]
    (place / "typed").write_text("typed")
    with (place / "log").open("w") as log, (place / "typed").open() as typed:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.serving.follower", *words],
            cwd=place,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=typed,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


class Following:
    """The follower in a folder of its own, serving version 1; libraries in the folder `searched`
    are found before those that are installed."""

    def __init__(self, place: Path, *words: str, searched: Path | None = None) -> None:
        self.place = place
        if not (place / "release-1").exists():
            release(place / "release-1", "one")
        self.process = begun(place, *words, searched=searched)
        until(lambda: "Version 1 (release 1111) is served" in self.log)
        self.port = int((place / "port").read_text())

    @property
    def log(self) -> str:
        return (self.place / "log").read_text()

    def wants(self, version: int) -> None:
        """Move the alias."""
        point(self.place, version)

    def connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def asked(self, path: str = "/") -> str:
        with contextlib.closing(self.connected()) as connection:
            return said_on(connection, path)

    def doors(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def open_files(self) -> int:
        """How many descriptors the follower itself has."""
        return psutil.Process(self.process.pid).num_fds()


def said_on(connection: http.client.HTTPConnection, path: str = "/") -> str:
    connection.request("GET", path)
    reply = connection.getresponse()
    assert reply.status == 200
    return reply.read().decode()


@contextlib.contextmanager
def running(following: Following) -> Iterator[Following]:
    """It is ended after the block."""
    try:
        yield following
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(following.process.pid, signal.SIGKILL)
        following.process.wait(30)


def kept_asking(following: Following, over: threading.Event, said: list[str]) -> None:
    """Ask on a connection that is kept as long as the server keeps it."""
    connection = following.connected()
    while not over.is_set():
        said.append(said_on(connection))


def asked_anew(following: Following, over: threading.Event, said: list[str]) -> None:
    while not over.is_set():
        said.append(following.asked())


@contextlib.contextmanager
def crowd(following: Following) -> Iterator[list[list[str]]]:
    """Askers of both kinds during the block; whoever is failed ends in `faults`."""
    over, faults = threading.Event(), []

    def guarded(act: Callable, said: list[str]) -> None:
        try:
            act(following, over, said)
        except Exception as error:
            faults.append(error)

    every: list[list[str]] = [[] for _ in range(6)]
    threads = [
        threading.Thread(target=guarded, args=((kept_asking, asked_anew)[at % 2], said))
        for at, said in enumerate(every)
    ]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(every))
        yield every
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert faults == []
