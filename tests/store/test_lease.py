"""The lease: one holder in a place, judged by the kernel's lock or its counter, never by a name."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import BusyError
from mm_model.store import lease

pytestmark = pytest.mark.capability("one at a time", scale="T")

HOLDER = """
import sys, time
from pathlib import Path
from mm_model.store import lease
lease.RENEWED = 0.05
with lease.held(Path(sys.argv[1]), "The other one", "pairs"):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "run.lease"


@pytest.fixture
def other(path: Path, root: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def rewrite(path: Path, **said: Any) -> None:
    """Change what the lease says of its holder."""
    counter, text = path.read_text().split("\n", 1)
    path.write_text(f"{counter}\n{json.dumps({**json.loads(text), **said})}\n")


def test_the_second_is_told_who_is_first(path: Path, other: subprocess.Popen) -> None:
    began = time.monotonic()
    with pytest.raises(BusyError) as told, lease.held(path, "This one"):
        pass
    assert time.monotonic() - began < 3, "it does not wait"
    assert "The other one is at work here since 20" in str(told.value)
    assert f"(at stage pairs, process {other.pid} on " in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_holds_nothing(
    path: Path, other: subprocess.Popen, number: signal.Signals
) -> None:
    other.send_signal(number)
    other.wait()
    with lease.held(path, "This one"):
        assert lease.look(path)[1] is True
    assert lease.look(path) == (None, False)


def test_neither_host_nor_process_number_is_believed(path: Path, other: subprocess.Popen) -> None:
    rewrite(path, host="another-host", process=1)
    assert lease.look(path)[1] is True
    other.kill()
    other.wait()
    rewrite(path, process=os.getpid(), host="another-host")
    with lease.held(path, "This one"):
        pass


def test_a_holder_that_stands_still_on_this_machine_lives(
    path: Path, other: subprocess.Popen
) -> None:
    other.send_signal(signal.SIGSTOP)
    with pytest.raises(BusyError), lease.held(path, "This one"):
        pass
    assert lease.look(path)[1] is True


def test_the_lease_of_another_machine_is_watched(
    path: Path, other: subprocess.Popen, monkeypatch: Any
) -> None:
    monkeypatch.setattr(lease, "_boot", lambda: "this machine")
    monkeypatch.setattr(lease, "PATIENCE", 2.0)
    assert lease.look(path)[1] is None
    doubts: list[lease.Holder] = []
    with pytest.raises(BusyError), lease.held(path, "This one", on_doubt=doubts.append):
        pass
    assert doubts[0].what == "The other one"
    other.send_signal(signal.SIGSTOP)  # its machine is gone; the file server kept its lock
    with lease.held(path, "This one") as ours:
        assert lease.look(path) == (ours.holder, True)


def test_a_clock_that_jumps_changes_nothing(path: Path, monkeypatch: Any) -> None:
    with lease.held(path, "This one"):
        for jump in (-1e6, 1e6):
            moved = time.time() + jump
            os.utime(path, (moved, moved))
            monkeypatch.setattr(time, "time", lambda moved=moved: moved)
            assert lease.look(path)[1] is True


def test_who_slept_too_long_ends(path: Path, other: subprocess.Popen) -> None:
    path.unlink()
    with lease.held(path, "This one"):
        assert other.wait(20) != 0


def test_who_slept_too_long_ends_where_interrupts_are_ignored(path: Path, root: Path) -> None:
    deaf = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(deaf, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        path.unlink()
        with lease.held(path, "This one"):
            assert process.wait(30) == os.EX_TEMPFAIL


def test_a_copied_lease_holds_nothing(path: Path, other: subprocess.Popen, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(path.parent, tmp_path / "copy")) / path.name
    before = path.read_text().split("\n", 1)[1]
    with lease.held(copy, "This one"):
        assert path.read_text().split("\n", 1)[1] == before


def test_many_at_once_give_one_holder(path: Path) -> None:
    taken, refused, start = [], [], threading.Barrier(8)

    def attempt() -> None:
        start.wait()
        try:
            taken.append(lease.take(path, "One of many"))
        except BusyError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert len(refused) == 7 and all("One of many is at work" in one for one in refused)
    taken[0].release()


def test_a_holder_is_heard_of_several_times_before_anybody_takes_it_for_dead() -> None:
    assert 5 * lease.RENEWED <= lease.PATIENCE


def test_where_the_file_system_has_no_locks_the_counter_alone_tells(
    path: Path, monkeypatch: Any
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lease, "RENEWED", 0.05)
    monkeypatch.setattr(lease, "PATIENCE", 1.0)
    monkeypatch.setattr(lease.fcntl, "flock", refuse)
    first = lease.take(path, "The first one")
    with pytest.raises(BusyError, match="The first one is at work here"):
        lease.take(path, "The second one")
    left = path.read_bytes()
    first.release()
    lease.take(path, "The second one").release()
    path.write_bytes(left)  # what a killed holder leaves
    third = lease.take(path, "The third one")
    assert lease.moves(path, 5.0)
    third.release()


def test_a_child_of_the_holder_is_covered(path: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mm_model.store import lease\n"
        "with lease.held(Path(sys.argv[1]), 'A child'): print('in')"
    )
    command = [sys.executable, "-c", code, str(path)]
    with lease.held(path, "This one"):
        environment = {**os.environ, **lease.handed_on(path)}
        inside = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        outside = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert inside.stdout == "in\n"
    assert "BusyError: This one is at work" in outside.stderr
