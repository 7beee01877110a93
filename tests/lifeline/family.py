"""Processes that a test starts in order to kill one of them: who is left, and for how long."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
_HEED = "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL)"
"""Who runs the tests may ignore SIGTERM, and a program inherits that."""
GRACE = 2.0
"""Seconds within which everybody has ended."""


def started(code: str, *words: str, cwd: Path = ROOT) -> subprocess.Popen:
    """A Python program of its own that runs `code` and says "ready" when there is what to kill."""
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_HEED}\n{code}", *words],
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,  # as from a terminal: whoever adopts orphans is of another one
    )
    assert process.stdout.readline() == "ready\n"
    return process


def below(process: subprocess.Popen) -> list[psutil.Process]:
    """All descendants of `process`."""
    return psutil.Process(process.pid).children(recursive=True)


def killed(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    """Kill `process` alone and wait for its end."""
    process.send_signal(number)
    process.wait(30)
    with contextlib.suppress(AttributeError):
        process.stdout.close()


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Members that have not ended; a zombie has."""
    living = []
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


def left(family: list[psutil.Process], within: float = GRACE) -> list[str]:
    """Command lines of those who outlive `within` seconds; they are killed then."""
    deadline = time.monotonic() + within
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.02)
    said = []
    for process in alive(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            said.append(" ".join(process.cmdline()))
            process.kill()
    return said


def hog() -> None:
    """C code that keeps Python's lock: no thread of this process runs any more."""
    import ctypes

    ctypes.PyDLL(None).sleep(300)


def doze(*_: object) -> None:
    """Wait with the lock released, as in a read that never ends."""
    time.sleep(300)


def deaf(*_: object) -> None:
    """Busy, and deaf to every signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGIO):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def receive(pipe: object) -> None:
    """Blocked in a pipe whose other end its siblings hold too."""
    pipe.recv()


def slow_start() -> None:
    """An initialiser that imports for ever."""
    time.sleep(300)


def number() -> int:
    """A start that says where it was made."""
    return os.getpid()


def echo(_: object, item: object) -> object:
    """A task that gives back what it was given."""
    return item


def where(made: int, _: object) -> int:
    """A task that says which worker did it, one that takes long enough for two to share."""
    time.sleep(0.5)
    return made
