"""Who is at work in a place: one holder, known to live by a lease that it keeps renewing.

A holder keeps a file locked, says in it who it is, and counts on in it. On the machine (the running
kernel) of the holder the lock alone tells, at once: the kernel frees it with the process, whatever
ended that. Elsewhere, on shared folders or after a restart, a lock may not be seen or may be left
over; there the counter tells: a lease that does not move while we watch it, by our own steady
clock, is dead. Host names, process numbers and the time of day are for people to read only.
"""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path

from mm_model.errors import BusyError

RENEWED = 2.0
"""Seconds between renewals."""
PATIENCE = 15.0
"""A lease of another machine that does not move for so many seconds is dead."""
HANDED_ON = "MM_LEASE"
"""The environment variable by which the processes that a holder starts know themselves covered."""

_LEAVING = 5.0
"""Seconds that a holder whose lease was taken over has for its end."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_COUNTER = 16
_TRIES, _PAUSE = 4, 0.1
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_ours: "dict[Path, Lease]" = {}


@dataclass(frozen=True)
class Holder:
    """What a lease says of its holder. `boot` names the running kernel; None when unknown."""

    token: str
    what: str
    stage: str | None
    _: KW_ONLY
    since: str
    process: int
    host: str
    boot: str | None

    @property
    def fact(self) -> str:
        """Who is at work and since when."""
        at = f"at stage {self.stage}, " if self.stage else ""
        return (
            f"{self.what} is at work here since {self.since} ({at}process {self.process} on "
            f"{self.host})"
        )

    @property
    def sentence(self) -> str:
        """Who is at work, since when, and what to do."""
        return f"{self.fact}: wait for its end, or stop it there."


OnDoubt = Callable[[Holder], None]


def _boot() -> str | None:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return None


class Lease:
    """A lease in this process's hands. `stage` may be said anew while it lasts."""

    def __init__(self, path: Path, handle: int, what: str, stage: str | None) -> None:
        self.path, self._handle, self._count = path, handle, 0
        self.holder = Holder(
            uuid.uuid4().hex,
            what,
            stage,
            since=time.strftime("%Y-%m-%d %H:%M"),
            process=os.getpid(),
            host=socket.gethostname(),
            boot=_boot(),
        )
        self._guard, self._over = threading.Lock(), threading.Event()
        self._write()
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def say(self, stage: str) -> None:
        """Tell others which stage is at work now."""
        self.holder = Holder(**{**asdict(self.holder), "stage": stage})
        with contextlib.suppress(OSError):
            self._write()

    def release(self) -> None:
        """Give the place free."""
        self._over.set()
        with self._guard:
            with contextlib.suppress(OSError):
                if self._stands():
                    os.ftruncate(self._handle, 0)
            os.close(self._handle)

    def _write(self) -> None:
        with self._guard:
            if self._over.is_set():
                return  # the descriptor may be another file's by now
            self._count += 1
            text = f"{self._count:0{_COUNTER}d}\n{json.dumps(asdict(self.holder))}\n".encode()
            os.pwrite(self._handle, text, 0)
            os.ftruncate(self._handle, len(text))

    def _stands(self) -> bool:
        """Whether the file is still ours: who slept too long is taken for dead."""
        return os.fstat(self._handle).st_ino == self.path.stat().st_ino

    def _renew(self) -> None:
        while not self._over.wait(RENEWED):
            try:
                if self._stands():
                    self._write()
                    continue
            except FileNotFoundError:
                if not self.path.parent.is_dir():
                    return  # the place itself is gone: there is nothing left to guard
            except OSError:
                continue  # a full or absent disk: the lock still stands
            if not self._over.is_set():
                print(
                    f"{self.path} was taken over while this process stood still; it ends now.",
                    file=sys.stderr,
                    flush=True,
                )
                os.kill(os.getpid(), signal.SIGINT)
                if not self._over.wait(_LEAVING):  # started where SIGINT is ignored, or deaf
                    os._exit(os.EX_TEMPFAIL)
            return


def _read(path: Path) -> tuple[str, Holder | None]:
    """(counter, holder) of a lease file; no holder when it is free or not there."""
    for _ in range(5):
        try:
            text = path.read_text()
        except FileNotFoundError:
            return "", None
        if not text:
            return "", None
        with contextlib.suppress(ValueError, TypeError):
            counter, said = text.split("\n", 1)
            return counter, Holder(**json.loads(said))
        time.sleep(0.02)  # being written
    return text, None


def _lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool | None:
    """Whether the lock is ours now; None where the file system has no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True


def _verdict(locked: bool | None, holder: Holder | None) -> bool | None:
    """Whether the holder lives; None when only watching can tell."""
    if locked is not None and (holder is None or holder.boot == _boot() is not None):
        return not locked
    return None if holder is not None else False


def counter(path: Path) -> str:
    """What a renewal changes."""
    return _read(path)[0]


def moves(path: Path, seconds: float) -> bool:
    """Whether the lease at `path` is renewed while we watch it, at most `seconds`."""
    before, holder = _read(path)
    until = time.monotonic() + seconds
    while holder is not None and time.monotonic() < until:
        time.sleep(min(RENEWED / 4, seconds))
        now, holder = _read(path)
        if now != before and holder is not None:
            return True
    return False


def look(path: Path) -> tuple[Holder | None, bool | None]:
    """(holder, whether it lives) without waiting; None when only `moves` can tell."""
    if path in _ours:
        return _ours[path].holder, True
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None, False
    try:
        locked = _lock(handle, fcntl.LOCK_SH)
        return (holder := _read(path)[1]), _verdict(locked, holder)
    finally:
        os.close(handle)


def take(path: Path, what: str, stage: str | None = None, on_doubt: OnDoubt | None = None) -> Lease:
    """Take the lease at `path` for `what` (a noun phrase that begins a sentence).

    A lease left by another machine is watched first; `on_doubt` is told so.

    Raises:
        BusyError: somebody lives who holds it; the message says who.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        kept = False
        try:
            locked = _lock(handle)
            holder = _read(path)[1]
            if (lives := _verdict(locked, holder)) is None:
                if on_doubt is not None and holder is not None:
                    on_doubt(holder)
                lives = moves(path, PATIENCE)
            if not lives:
                same = os.fstat(handle).st_ino == path.stat().st_ino
                if kept := locked is not False and same:
                    return Lease(path, handle, what, stage)
                if same:  # a lock left over by a machine that is gone: begin a new file
                    path.unlink()
        except FileNotFoundError:
            pass  # taken away between two looks
        finally:
            if not kept:
                os.close(handle)
        time.sleep(_PAUSE)  # somebody may have had it for the length of a look
    holder = _read(path)[1]
    raise BusyError(holder.sentence if holder else f"{path} is held by another process.")


@contextlib.contextmanager
def held(
    path: Path, what: str, stage: str | None = None, on_doubt: OnDoubt | None = None
) -> Iterator[Lease | None]:
    """Hold the lease for the length of the block.

    Inside a process that holds it already, or one that such a process started, the block is
    covered by that lease; in the latter case None is yielded.

    Raises:
        BusyError: somebody lives who holds it; the message says who.
    """
    if path in _ours:
        yield _ours[path]
        return
    holder, lives = look(path)
    if lives and holder is not None and holder.token == os.environ.get(HANDED_ON):
        yield None
        return
    lease = _ours[path] = take(path, what, stage, on_doubt)
    try:
        yield lease
    finally:
        del _ours[path]
        lease.release()


def handed_on(path: Path) -> dict[str, str]:
    """What the environment of a process must hold that this one starts under its lease."""
    return {HANDED_ON: _ours[path].holder.token} if path in _ours else {}
