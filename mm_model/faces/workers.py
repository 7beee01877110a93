"""Several workers, each with its own face pack and one thread: how many samples share the cores.

A sample that takes its worker down is reported, and never takes the others with it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.facepack.port import FacePack, open_pack
from mm_model.run.pools.port import Pool
from mm_model.run.pools.table import open_pool

Task = Callable[[FacePack, Any], Any]

DIED = "the worker process died on this sample"


@dataclass(frozen=True)
class Opening:
    """Opens the pack of `folder` in a worker; picklable."""

    folder: Path
    detection_size: int

    def __call__(self) -> FacePack:
        import cv2

        cv2.setNumThreads(1)
        return open_pack(self.folder, self.detection_size, threads=1)


@dataclass(frozen=True)
class Workers:
    """Runs a task `(pack, item) -> result` on items; `pack` is this process's own. See `opened`."""

    pack: FacePack
    pool: Pool

    def run(self, task: Task, items: Sequence[Any]) -> list[Any]:
        """Results in the order of `items`; `Crashed` where an item takes its worker down."""
        return list(self.pool.map(task, items))

    def here(self) -> "Workers":
        """The same without any process but this one, for few items."""
        return Workers(self.pack, open_pool(lambda: self.pack, 0))


@contextmanager
def opened(folder: Path, detection_size: int, number: int) -> Iterator[Workers]:
    """`number` workers with the pack of `folder`; 1 works in this process.

    Raises:
        UserError: the pack cannot be opened (found out here, before any process starts).
    """
    pack = open_pack(folder, detection_size, threads=1)
    few = number <= 1
    pool = open_pool(
        (lambda: pack) if few else Opening(folder, detection_size), 0 if few else number
    )
    with closing(pool):
        yield Workers(pack, pool)
