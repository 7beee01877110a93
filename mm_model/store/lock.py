"""One writer per folder: an advisory lock that the operating system frees with the process."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mm_model.errors import BusyError


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def held(folder: Path, purpose: str, patience: float = 0.0) -> Iterator[None]:
    """Hold `<folder>/.lock` for the length of the block.

    Raises:
        BusyError: another process holds it for longer than `patience` seconds; the message names
            that process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+") as handle:
        until = time.monotonic() + patience
        while not _locked(handle):
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            handle.seek(0)
            raise BusyError(
                f"{folder} is in use by {handle.read().strip() or 'another process'}: "
                "wait for it to end or stop it."
            )
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} ({purpose})")
        handle.flush()
        yield
