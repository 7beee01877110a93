"""Several processes, each with its own face pack and one thread: how many samples share the cores.

Processes are spawned, never forked (ONNX sessions and decoders do not survive a fork). A sample
that takes its process down is reported, and never takes the others with it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model import lifeline
from mm_model.facepack.port import FacePack, open_pack

Task = Callable[[FacePack, Any], Any]

_pack: FacePack | None = None


@dataclass(frozen=True)
class Crashed:
    """Stands for the result of a sample whose process died."""

    message: str = "the worker process died on this sample"


@dataclass
class Workers:
    """Runs a task `(pack, item) -> result` on items, in order; see `opened`."""

    folder: Path
    detection_size: int
    number: int
    pack: FacePack
    _pool: ProcessPoolExecutor | None = None

    def run(self, task: Task, items: Sequence[Any]) -> list[Any]:
        """Results in the order of `items`; `Crashed` where an item takes its process down."""
        if self.number <= 1:
            return [task(self.pack, item) for item in items]
        try:
            futures: list[Future] = [
                self._open(self.number).submit(_call, task, item) for item in items
            ]
            return [future.result() for future in futures]
        except BrokenProcessPool:
            self.close()
            return self._one_by_one(task, items)

    def _one_by_one(self, task: Task, items: Sequence[Any]) -> list[Any]:
        """The items again, alone in a process, so that a crash has one possible cause."""
        results: list[Any] = []
        for item in items:
            try:
                results.append(self._open(1).submit(_call, task, item).result())
            except BrokenProcessPool:
                results.append(Crashed())
                self.close()
        self.close()
        return results

    def _open(self, number: int) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = lifeline.pool(number, _start, str(self.folder), self.detection_size)
        return self._pool

    def close(self) -> None:
        """End the processes; the next `run` starts new ones."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


@contextmanager
def opened(folder: Path, detection_size: int, number: int) -> Iterator[Workers]:
    """`number` worker processes with the pack of `folder`; 1 works in this process.

    Raises:
        UserError: the pack cannot be opened (found out here, before any process starts).
    """
    workers = Workers(folder, detection_size, number, open_pack(folder, detection_size, threads=1))
    try:
        yield workers
    finally:
        workers.close()


def _start(folder: str, detection_size: int) -> None:
    global _pack
    import cv2

    cv2.setNumThreads(1)
    _pack = open_pack(Path(folder), detection_size, threads=1)


def _call(task: Task, item: Any) -> Any:
    return task(_pack, item)
