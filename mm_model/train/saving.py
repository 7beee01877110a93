"""Checkpoints that are written while training goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from mm_model.train import state
from mm_model.train.state import Snapshot


class Saver:
    """Writes one snapshot at a time into `folder`; leaving its block waits for the last one.

    While one is written, only one older checkpoint stays: two lie on the disk at most.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def save(self, taken: Snapshot) -> None:
        """Begin to write; the snapshot before it is on disk then.

        Raises:
            OSError: the one before could not be written.
        """
        self.finish()
        if taken.rank == 0:
            state.prune(self._folder, 1)
        self._pending = self._threads.submit(state.write, self._folder, self._fingerprint, taken)

    def finish(self) -> None:
        """Wait until what was begun is on disk.

        Raises:
            OSError: it could not be written.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.finish()
        except OSError:
            if error is None:
                raise
        finally:
            self._threads.shutdown()
