"""The one who follows the champion, with doors of a few lines: no request is lost at a move."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.lifeline.family import left
from tests.serving.doorway import until
from tests.serving.follower import release

REPOSITORY = Path(__file__).resolve().parents[2]


class Following:
    """The follower in a folder of its own, serving version 1."""

    def __init__(self, place: Path, *words: str) -> None:
        self.place = place
        release(place / "release-1", "one")
        self.wants(1)
        with (place / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.serving.follower", *words],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: "Version 1 (release 1111) is served" in self.log)
        self.port = int((place / "port").read_text())

    @property
    def log(self) -> str:
        return (self.place / "log").read_text()

    def wants(self, version: int) -> None:
        """Move the alias."""
        aside = self.place / "aside.json"
        aside.write_text(json.dumps({"version": version, "digest": str(version) * 4}))
        aside.replace(self.place / "registry.json")

    def connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def asked(self, path: str = "/") -> str:
        with contextlib.closing(self.connected()) as connection:
            return said_on(connection, path)

    def doors(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def said_on(connection: http.client.HTTPConnection, path: str = "/") -> str:
    connection.request("GET", path)
    reply = connection.getresponse()
    assert reply.status == 200
    return reply.read().decode()


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    yield from _running(Following(tmp_path))


def _running(running: Following) -> Iterator[Following]:
    yield running
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(30)


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Following]:
    """One that has a process ready for the next release."""
    yield from _running(Following(tmp_path, "prepare"))


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


@pytest.mark.parametrize(
    "door", [{}, {"private": "_", "loop": "asyncio"}], ids=["door of now", "earlier door"]
)
def test_no_request_is_lost_when_the_alias_moves(following: Following, door: Any) -> None:
    release(following.place / "release-2", "two", **door)
    under_way: list[str] = []
    slow = threading.Thread(target=lambda: under_way.append(following.asked("/slow")))
    slow.start()
    until(lambda: (following.place / "under-way").exists())
    with crowd(following) as every:
        following.wants(2)
        until(lambda: all(said[-1] == "two" for said in every))
        assert len(following.doors()) == 2, "the old one still has a request"
        (following.place / "go-on").touch()
        slow.join()
        until(lambda: len(following.doors()) == 1)
        following.wants(1)
        until(lambda: all(said[-1] == "one" for said in every))
    assert under_way == ["one"], "a request under way is answered by the one that began it"
    for said in every:
        turns = [mark for at, mark in enumerate(said) if at == 0 or said[at - 1] != mark]
        assert turns[0] == turns[-1] == "one" and "two" in turns
    assert "Version 2 (release 2222) is served now; version 1 answers what it has" in following.log
    assert "Serving has ended." not in following.log, "serving goes on"


def test_an_idle_connection_is_answered_once_more_and_told_to_close(following: Following) -> None:
    release(following.place / "release-2", "two")
    connection = following.connected()
    assert said_on(connection) == "one"
    following.wants(2)
    until(lambda: "is served now" in following.log)
    time.sleep(1)  # the old one has long begun to leave
    connection.request("GET", "/")
    reply = connection.getresponse()
    assert (reply.read(), reply.getheader("connection")) == (b"one", "close")
    assert said_on(connection) == "two", "http.client has connected anew"


def test_who_cannot_start_leaves_the_old_one_serving(following: Following) -> None:
    release(following.place / "release-2", "two", first="raise SystemExit(3)")
    release(following.place / "release-3", "three")
    (following.place / "release-3" / "damaged").touch()
    with crowd(following) as every:
        following.wants(2)
        sentence = "Version 2 (release 2222) is wanted and cannot be served"
        until(lambda: sentence in following.log)
        following.wants(3)
        until(lambda: "Version 3 is not what was registered" in following.log)
        assert all(set(said) == {"one"} for said in every)
        (following.place / "release-3" / "damaged").unlink()
        until(lambda: all(said[-1] == "three" for said in every))
    assert following.log.count(sentence) == 1, "what stays so is said once"
    assert "its process ended with status 3" in following.log
    assert "version 1 goes on being served." in following.log


def test_a_registry_that_is_silent_changes_nothing(following: Following) -> None:
    release(following.place / "release-2", "two")
    (following.place / "registry.json").unlink()
    until(lambda: "does not answer" in following.log)
    assert following.asked() == "one"
    following.wants(2)
    until(lambda: following.asked() == "two")
    assert following.log.count("does not answer") == 1


def test_an_alias_that_moves_back_meanwhile_ends_the_newcomer(following: Following) -> None:
    release(following.place / "release-2", "two", first="Path('begun').touch(); time.sleep(600)")
    following.wants(2)
    until(lambda: (following.place / "begun").exists())
    following.wants(1)
    until(lambda: len(following.doors()) == 1)
    assert following.asked() == "one"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("amid", [False, True], ids=["alone", "amid a move"])
def test_whatever_ends_it_nobody_is_left(
    following: Following, number: signal.Signals, amid: bool
) -> None:
    if amid:
        release(following.place / "release-2", "two")
        with contextlib.closing(following.connected()) as held:
            held.request("GET", "/slow")
            following.wants(2)
            until(lambda: "is served now" in following.log)
            doors = following.doors()
            assert len(doors) == 2
            following.process.send_signal(number)
            (following.place / "go-on").touch()
    else:
        doors = following.doors()
        following.process.send_signal(number)
    following.process.wait(30)
    assert left(doors) == []


def test_a_door_that_dies_ends_the_serving(following: Following) -> None:
    following.doors()[0].kill()
    assert following.process.wait(30) != 0
    assert "Version 1 (release 1111) has ended by itself: nothing is served." in following.log


SEEN = """
    import mm_model, os
    said = [os.getpid(), mm_model.__file__, os.environ["PYTHONPATH"], "torch" in sys.modules]
    Path("seen").write_text(__import__("json").dumps(said))
""".strip()


def waiting(following: Following) -> psutil.Process:
    """The process that was prepared: the one that nobody is served by."""
    until(lambda: len(following.doors()) == 2)
    return next(one for one in following.doors() if "--folder" not in one.cmdline())


def test_the_next_release_is_served_by_the_process_that_was_prepared(prepared: Following) -> None:
    ready = waiting(prepared)
    release(prepared.place / "release-2", "two", first=SEEN)
    with crowd(prepared) as every:
        prepared.wants(2)
        until(lambda: all(said[-1] == "two" for said in every))
    number, package, searched, loaded = json.loads((prepared.place / "seen").read_text())
    code = str(prepared.place / "release-2" / "code")
    assert (number, loaded) == (ready.pid, True)
    assert package == f"{code}/mm_model/__init__.py", "the code is the release's"
    assert searched.split(os.pathsep)[0] == code
    until(lambda: len(prepared.doors()) == 2)
    assert ready.pid in [one.pid for one in prepared.doors()], "the other is prepared anew"
    prepared.wants(1)
    until(lambda: prepared.asked() == "one")


@pytest.mark.parametrize("why", ["it has died", "it has other threads"])
def test_where_the_prepared_process_cannot_be_used_another_is_started(
    prepared: Following, why: str
) -> None:
    ready = waiting(prepared)
    if why == "it has died":
        ready.kill()
    threads = 3 if why == "it has other threads" else 1
    release(prepared.place / "release-2", "two", first=SEEN, threads=threads)
    prepared.wants(2)
    until(lambda: prepared.asked() == "two")
    number, _, _, loaded = json.loads((prepared.place / "seen").read_text())
    assert number != ready.pid and not loaded
    until(lambda: len(prepared.doors()) == 2)
    assert ready not in prepared.doors()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_prepared_process_ends_with_whoever_prepared_it(
    prepared: Following, number: signal.Signals
) -> None:
    waiting(prepared)
    doors = prepared.doors()
    prepared.process.send_signal(number)
    prepared.process.wait(30)
    assert left(doors) == []


def test_a_release_that_is_no_more_wanted_gives_its_place_to_another(prepared: Following) -> None:
    ready = waiting(prepared)
    release(prepared.place / "release-2", "two", first="Path('begun').touch(); time.sleep(600)")
    prepared.wants(2)
    until(lambda: (prepared.place / "begun").exists())
    prepared.wants(1)
    until(lambda: not ready.is_running() or ready.status() == psutil.STATUS_ZOMBIE)
    assert waiting(prepared).pid != ready.pid
    assert prepared.asked() == "one"
