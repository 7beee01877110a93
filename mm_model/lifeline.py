"""Nobody we start outlives us, and a stage does not outlive the program that runs the graph.

A process holds the writing end of a pipe, its line, which the system cuts when the process ends,
whatever ended it. Each child asks the kernel to kill it at that cut: this works while a child is
still importing, is blocked, or is in C code that keeps Python's lock, and however the thread that
started it ends (PR_SET_PDEATHSIG would kill children of a thread that merely returned). Where the
kernel has no such signal (not Linux) a thread of the child watches the line instead.
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    import psutil

    from mm_model.errors import UserError

_F_SETSIG = 10  # fcntl.h of Linux; Python has no name for it
_KEEPER = """
import select, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
they, we = map(int, sys.argv[1:])
ends = select.poll()
for end in they, we:
    ends.register(end, select.POLLIN)
if they in [end for end, _ in ends.poll()]:
    signal.pidfd_send_signal(we, signal.SIGKILL)
"""
_SECONDS = 2.0
"""Between two readings of a time of birth, where the clock was set meanwhile."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_BORN = 19
"""Where /proc/<pid>/stat says when a process began, counted behind its name."""
_guard = threading.Lock()
_own: "tuple[Connection, Connection] | None" = None
_held: list[Any] = []  # what must stay open in a child


def line() -> "Connection":
    """The reading end of this process's line, for `pass_fds` of a child that calls `hold`."""
    import multiprocessing

    global _own
    with _guard:
        if _own is None:
            _own = multiprocessing.Pipe(duplex=False)
        return _own[0]


def _forget() -> None:
    """A forked copy of this process is not this process: it must not keep the line whole."""
    global _own, _guard
    for end in _own or ():
        end.close()
    _own, _guard = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def hold(end: int) -> None:
    """End this process, without a word, once the line behind the descriptor `end` is cut."""
    try:
        own = os.open(f"/proc/self/fd/{end}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(own, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
    except (OSError, AttributeError):
        own = os.dup(end)
        threading.Thread(target=_watch, args=(own,), daemon=True).start()
    _held.append(own)
    if _cut(own, 0):  # before the kernel was asked
        _end()


def _cut(end: int, milliseconds: int | None) -> bool:
    """Whether the line is cut; nobody ever writes to it."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _watch(end: int) -> None:
    _cut(end, None)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _end_after(other: "psutil.Process") -> None:
    other.wait()
    _end()


class _Tie:
    """Travels to a spawned process and holds it from the moment it is unpickled there."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return _tied, (line(),)


def _tied(end: "Connection") -> None:
    _held.append(end)
    hold(end.fileno())


def _begin(tie: None, act: Callable[..., Any], arguments: tuple) -> None:
    """First function of a spawned process; `tie` comes first, before `act` is imported."""
    act(*arguments)


def process(target: Callable[..., None], *arguments: Any) -> "SpawnProcess":
    """A spawned process, not started yet, that runs `target(*arguments)` and ends with this one."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    return context.Process(target=_begin, args=(_Tie(), target, arguments), daemon=True)


def follow(mark: str, program: str) -> None:
    """End this process when `program` ends, which set the environment variable `mark` for it.

    Shells between the two do not matter. Without `mark` nothing happens: a command that somebody
    started by hand may outlive the terminal.

    Raises:
        UserError: that program has ended already.
    """
    if mark not in os.environ:
        return
    import psutil

    try:
        they = _marker(mark, program, psutil)
    except (ProcessLookupError, psutil.NoSuchProcess):
        they = None
    if they is None:
        raise _gone()
    if they.pid != 1:  # the system ends everybody with its first process
        _end_with(they)


def starter(mark: str, program: str) -> str | None:
    """A name of the process that set the environment variable `mark` for this one, which no other
    process of any machine has; None without `mark`, or where that process has ended.

    Its time of birth is counted by the kernel from its own start: a clock that is set changes none.
    """
    if mark not in os.environ:
        return None
    import psutil

    try:
        they = _marker(mark, program, psutil)
        if they is None:
            return None
        kernel = _BOOT.read_text().strip()
        born = Path(f"/proc/{they.pid}/stat").read_text().rpartition(")")[2].split()[_BORN]
        return f"{kernel}-{they.pid}-{born}"
    except (OSError, IndexError, psutil.Error):
        return None


def this_process() -> tuple[int, float]:
    """Number and time of birth of this process, for `follow_process` in another."""
    import psutil

    return os.getpid(), psutil.Process().create_time()


def follow_process(number: int, born: float) -> None:
    """End this process when that one ends, which `this_process` named there.

    Raises:
        UserError: it has ended already.
    """
    import psutil

    try:
        they = psutil.Process(number)
        if abs(they.create_time() - born) > _SECONDS:
            raise ProcessLookupError
    except (ProcessLookupError, psutil.NoSuchProcess):
        raise _gone() from None
    _end_with(they)


def _end_with(they: "psutil.Process") -> None:
    import psutil

    try:
        if not hasattr(os, "pidfd_open"):
            threading.Thread(target=partial(_end_after, they), daemon=True).start()
            return
        ends = [os.pidfd_open(they.pid), os.pidfd_open(os.getpid())]
        alive = they.is_running()  # and so the number was still theirs
    except (ProcessLookupError, psutil.NoSuchProcess):
        alive = False
    if not alive:
        raise _gone()
    # A process of its own: a thread of ours would wait while C code keeps Python's lock.
    _held.append(
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER, *map(str, ends)],
            pass_fds=ends,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    for end in ends:
        os.close(end)


def _gone() -> "UserError":
    # beside a release's code this module is loaded by its path: `mm_model` is not ours there
    from mm_model.errors import UserError

    return UserError("The program that started this stage has ended: start the stage again.")


def _marker(mark: str, program: str, psutil: Any) -> Any:
    """The nearest ancestor without our value of `mark`: who set it; None when that one is gone.

    A process that adopts orphans is of another session, or a container's first process, which
    shares its session with everybody: there `program` must be what it runs.
    """
    for ancestor in psutil.Process().parents():
        theirs = None
        with contextlib.suppress(psutil.AccessDenied):
            theirs = ancestor.environ().get(mark)
        if theirs != os.environ[mark]:
            if ancestor.pid == 1:
                words = (Path(word).name for word in ancestor.cmdline())
                return ancestor if program in words else None
            return ancestor if os.getsid(ancestor.pid) == os.getsid(0) else None
    return None
