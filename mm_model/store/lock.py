"""One writer per folder: an advisory lock that the operating system frees with the process."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mm_model.errors import BusyError


@contextlib.contextmanager
def held(folder: Path, purpose: str) -> Iterator[None]:
    """Hold `<folder>/.lock` for the length of the block.

    Raises:
        BusyError: another process holds it; the message names that process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            raise BusyError(
                f"{folder} is in use by {handle.read().strip() or 'another process'}: "
                "wait for it to end or stop it."
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} ({purpose})")
        handle.flush()
        yield
