"""The one who follows the champion, with doors of a few lines: no request is lost at a move."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mm_model.errors import UserError
from mm_model.serving import follow
from mm_model.serving.__main__ import bound
from mm_model.serving.doors import DoorProcess
from mm_model.settings import FollowSettings
from tests.lifeline.family import left
from tests.serving.doorway import until
from tests.serving.follower import FileSource, release
from tests.serving.following import Following, begun, crowd, running, said_on


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    with running(Following(tmp_path)) as one:
        yield one


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


@pytest.mark.parametrize("words", [(), ("prepare",)], ids=["plain", "prepared"])
def test_who_never_answers_is_ended_and_told_of(tmp_path: Path, words: tuple[str, ...]) -> None:
    release(tmp_path / "release-2", "two", first="time.sleep(600)")
    with running(Following(tmp_path, "impatient", "patient", *words)) as following:
        following.wants(2)
        until(lambda: "it does not answer after 5 s" in following.log)
        assert following.asked() == "one"
        said = "Version 2 (release 2222) is wanted and cannot be served (it does not answer after"
        assert said in following.log and "version 1 goes on being served." in following.log
        following.wants(1)
        until(lambda: len(following.doors()) == 1 + len(words))


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


def test_a_door_that_takes_requests_already_answers_them_where_the_alias_moves_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = release(tmp_path / "release-2", "two")
    settings = FollowSettings(look_seconds=1, retry_seconds=1, start_seconds=600, prepare=False)
    with bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        front = follow.Front(listening, "127.0.0.1", [], dict(os.environ))
        follower = follow.Follower(FileSource(), front, settings, print)
        door = DoorProcess.start(folder, front)
        follower._next = follow._Served(follow.ChosenVersion(2, "2222"), folder, door)
        until(lambda: is_open(port))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as held:
            held.request("GET", "/slow")
            until((tmp_path / "under-way").exists)
            time.sleep(0.5)  # nobody has looked yet whether it takes requests
            follower._step(follow._News(follow.ChosenVersion(1, "1111")))
            (tmp_path / "go-on").touch()
            assert held.getresponse().read() == b"two"
        assert door.process.wait(30) == 0


def test_who_is_ended_amid_a_move_lets_the_old_one_answer(tmp_path: Path) -> None:
    release(tmp_path / "release-1", "one", grace="30")
    release(tmp_path / "release-2", "two")
    with running(Following(tmp_path)) as following:
        with contextlib.closing(following.connected()) as held:
            held.request("GET", "/slow")
            until((tmp_path / "under-way").exists)
            following.wants(2)
            until(lambda: "is served now" in following.log)
            following.process.terminate()
            time.sleep(1)  # the new one has ended
            (tmp_path / "go-on").touch()
            assert held.getresponse().read() == b"one"
        following.process.wait(30)


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


def test_who_fails_again_and_again_leaves_nothing_open(following: Following) -> None:
    release(following.place / "release-2", "two", first="Path('tried').open('a').write('.'); 1/0")
    before = following.open_files()
    following.wants(2)
    tried = following.place / "tried"
    until(lambda: tried.exists() and len(tried.read_text()) > 3)
    following.wants(1)
    until(lambda: following.open_files() <= before)


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_who_is_told_to_end_as_it_comes_up_ends_in_order(tmp_path: Path) -> None:
    release(tmp_path / "release-1", "one", first="Path('begun').touch(); time.sleep(1)")
    process = begun(tmp_path)
    until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGSTOP)  # so that it learns of both at once
    until(lambda: is_open(int((tmp_path / "port").read_text())))
    time.sleep(0.5)  # that it takes requests is said just after
    family = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) != 0
    assert left(family) == []
    log = (tmp_path / "log").read_text()
    assert "is served" not in log and "KeyboardInterrupt" in log


def test_a_second_one_on_the_port_is_refused_while_the_first_comes_up(tmp_path: Path) -> None:
    release(tmp_path / "release-1", "one", first="Path('begun').touch(); time.sleep(600)")
    process = begun(tmp_path)
    until((tmp_path / "begun").exists)
    try:
        with pytest.raises(UserError, match="cannot be opened"):
            bound("127.0.0.1", int((tmp_path / "port").read_text()))
    finally:
        process.kill()
        process.wait()


def test_the_port_is_free_again_at_once(following: Following) -> None:
    assert following.asked() == "one"
    connection = following.connected()
    assert said_on(connection) == "one"
    following.process.kill()  # its end of the connection lingers
    following.process.wait()

    def free() -> bool:
        with contextlib.suppress(UserError), bound("127.0.0.1", following.port):
            return True
        return False

    until(free)
    connection.close()


def test_who_is_started_with_its_input_closed_serves(tmp_path: Path) -> None:
    code = (
        "import os; from mm_model.commands import serve; serve._open_standard_ends()\n"
        "ends = '/proc/self/fd'\n"
        "print(*[os.readlink(f'{ends}/{end}') for end in (0, 2)], len(os.listdir(ends)))"
    )
    command = ["/bin/sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == "/dev/null /dev/null 4\n", "the fourth is what lists them"
