"""The worker's side of the local pool: one order in, one reply out, until the pipe closes.

Orders come as pickles from the process that started this one. Replies go back as pickles, or as
JSON from a confined worker. A worker with a limit of time is ended by its own alarm clocks, of
processor time and of wall time, when nobody else does it; by the kernel when its parent is gone.
"""

import json
import os
import pickle
import resource
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.run.pools.patience import longest
from mm_model.run.pools.port import Limits, hearing

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY, TICK, RESULT, ERROR = b"r", b"t", b"v", b"e"
"""First byte of a reply; eight bytes of its length go before it."""

LENGTH = 8
_GRACE_SECONDS = 5
_OPEN_FILES = 64
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def serve(pipe: "Connection", start: bytes, limits: Limits) -> None:
    """Work on orders until `pipe` closes. `start` is pickled: nothing of it is imported before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes to a whole terminal; our parent decides
    if limits.confined:
        _say_nothing_elsewhere()
    for clock in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(clock, signal.SIG_DFL)
    try:
        made = pickle.loads(start)()
    except Exception as error:
        _reply(pipe, limits, ERROR, _told(error, limits))
        return
    _bound(limits)
    _reply(pipe, limits, READY, None)
    with hearing(lambda: _reply(pipe, limits, TICK, None)):
        while True:
            try:
                order = pipe.recv_bytes()
            except EOFError:
                return
            _set_clocks(limits.seconds)
            _reply(pipe, limits, *_done(order, made, limits))
            _set_clocks(None)


def _done(order: bytes, made: Any, limits: Limits) -> tuple[bytes, Any]:
    try:
        task, item = pickle.loads(order)
        return RESULT, task(made, item)
    except Exception as error:
        return ERROR, _told(error, limits)


def _told(error: Exception, limits: Limits) -> Any:
    """The error itself where it can be sent, and where it came from; its text from the confined."""
    said = f"{type(error).__name__}: {error}"
    if limits.confined:
        return said
    error.add_note(f"In a worker process:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception may refuse to be made again, in whatever way
        return RuntimeError(said)
    return error


def _reply(pipe: "Connection", limits: Limits, kind: bytes, content: Any) -> None:
    body = json.dumps(content).encode() if limits.confined else pickle.dumps(content)
    left = memoryview((1 + len(body)).to_bytes(LENGTH, "big") + kind + body)
    while left:
        left = left[os.write(pipe.fileno(), left) :]


def _say_nothing_elsewhere() -> None:
    """One thread, for each takes address space; decoders talk to nobody."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _bound(limits: Limits) -> None:
    if limits.confined:
        confine()
    if limits.memory_mb is not None:
        _limit(resource.RLIMIT_AS, _address_space() + (limits.memory_mb << 20))


def confine() -> None:
    """Let this process write no file, leave no core and open few files."""
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    if not statm.is_file():  # another system: allow what imports usually take
        return 2 << 30
    return int(statm.read_text().split()[0]) * resource.getpagesize()


def _set_clocks(seconds: float | None) -> None:
    """End this process a little after its parent would have; None stops the clocks."""
    work, wall = (
        (0.0, 0)
        if seconds is None
        else (seconds + _GRACE_SECONDS, int(longest(seconds)) + _GRACE_SECONDS)
    )
    signal.setitimer(signal.ITIMER_PROF, work)
    signal.alarm(wall)
