"""One writer per folder: who is refused, who may wait, and what is left when a holder is killed."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import BusyError, MachineError, of_machine
from mm_model.store import lock

# What an older release does, which may still be at work in the same folder.
BY_HAND = """
import fcntl, os, sys, time
handle = open(sys.argv[1] + "/.lock", "a+")
fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
handle.seek(0)
handle.truncate()
handle.write(f"process {os.getpid()} (stage old)")
handle.flush()
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
HELD = """
import sys, time
from pathlib import Path
from mm_model.store import lock
with lock.held(Path(sys.argv[1]), "stage new"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
FORKING = """
import os, sys, time
from pathlib import Path
from mm_model.store import lock
with lock.held(Path(sys.argv[1]), "stage new"):
    if os.fork() == 0:
        print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def holder(code: str, folder: Path, seconds: float = 60) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder, in a session of its own, gone at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _by_hand(folder: Path) -> bool:
    """Whether the older release would get the folder."""
    with (folder / ".lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize(("code", "purpose"), [(BY_HAND, "stage old"), (HELD, "stage new")])
def test_a_holder_is_named_and_its_death_frees_the_folder(
    tmp_path: Path, code: str, purpose: str
) -> None:
    with holder(code, tmp_path) as process:
        named = rf"in use by process {process.pid} \({purpose}\): wait for it to end or stop it"
        with pytest.raises(BusyError, match=named), lock.held(tmp_path, "me"):
            pass
        assert not _by_hand(tmp_path)
        process.kill()
        process.wait()
        with lock.held(tmp_path, "me"):
            assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} (me)"
            assert not _by_hand(tmp_path)
    assert _by_hand(tmp_path)


def test_a_child_that_was_forked_off_does_not_keep_the_folder(tmp_path: Path) -> None:
    with holder(FORKING, tmp_path) as process:
        process.kill()
        process.wait()
        with lock.held(tmp_path, "me"):
            pass


@pytest.mark.parametrize("code", [BY_HAND, HELD])
def test_who_has_patience_gets_the_folder_when_it_is_free(tmp_path: Path, code: str) -> None:
    with holder(code, tmp_path, seconds=0.5), lock.held(tmp_path, "me", patience=60):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} (me)"


def test_a_name_longer_than_the_next_one_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 4194304 (a stage with a very long name indeed)")
    with lock.held(tmp_path, "me"):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} (me)"
        with (
            pytest.raises(BusyError, match=rf"in use by process {os.getpid()} \(me\)"),
            lock.held(tmp_path, "me again", patience=0.2),
        ):
            pass


def test_threads_come_one_after_another(tmp_path: Path) -> None:
    inside, most = [], []

    def work(_: int) -> None:
        with lock.held(tmp_path, "thread", patience=60):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_an_error_in_the_block_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock.held(tmp_path, "me"):
        raise KeyError("a")
    with lock.held(tmp_path, "me"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_file_system_that_refuses_is_no_other_process(
    tmp_path: Path, monkeypatch: Any, number: int
) -> None:
    """Nobody is told to wait for a process that is not there."""

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError) as told, lock.held(tmp_path, "me"):
        pass
    said = of_machine(told.value)
    assert isinstance(said, MachineError) and str(tmp_path / ".lock") in str(said)
