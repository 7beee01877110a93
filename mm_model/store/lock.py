"""One writer per folder: an advisory lock that the operating system frees with the process."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout, UnixFileLock

from mm_model.errors import BusyError

_LOOKS_EVERY = 0.1  # seconds


@contextlib.contextmanager
def held(folder: Path, purpose: str, patience: float = 0.0) -> Iterator[None]:
    """Hold `<folder>/.lock` for the length of the block.

    Raises:
        BusyError: another process holds it for longer than `patience` seconds; the message names
            that process.
        OSError: the file cannot be made, or the file system gives no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"

    def sign(handle: int) -> None:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} ({purpose})".encode())

    lock = UnixFileLock(
        path,
        timeout=patience,
        poll_interval=_LOOKS_EVERY,
        fallback_to_soft=False,  # a file that only lies there would outlive a killed process
        on_acquired=sign,
    )
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"{folder} is in use by {path.read_text().strip() or 'another process'}: "
            "wait for it to end or stop it."
        ) from None
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    try:
        yield
    finally:
        lock.release()
