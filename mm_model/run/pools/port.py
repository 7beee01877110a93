"""The port of a pool: a task on many items, results in order, a crash as a result of its item.

What a task needs and what is dear to open (a face pack, decoders) is made once a worker, by
`start`. Nothing here says where a worker is, so that it may be on another machine; it sees the same
files under the same names.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mm_model.errors import UserError

Start = Callable[[], Any]
"""Picklable; makes what a worker hands to each task."""

Task = Callable[[Any, Any], Any]
"""Picklable; `task(made by start, item)` is the result of the item."""


@dataclass(frozen=True)
class Limits:
    """What one item may cost, and what its worker may do.

    seconds: of processor time; None is any. A worker that stands still for as long is given up too.
    memory_mb: MiB on top of what a worker takes when it has started; None is any.
    tries: how often an item is begun whose worker dies or is given up.
    confined: strangers' bytes are read. A worker may write no file, has one thread, and its results
    are JSON values, so that one which a hostile file took over cannot make us run anything.
    threads, device: what a worker computes with, by which a cluster finds a place for it; `device`
    is cpu, cuda, or auto (a GPU where there is one).
    start_seconds: of processor time that `start` may take.
    """

    seconds: float | None = None
    memory_mb: int | None = None
    tries: int = 2
    confined: bool = False
    threads: int = 1
    device: str = "cpu"
    start_seconds: float = 120


@dataclass(frozen=True)
class Crashed:
    """Stands for the result of an item whose worker died; `late` when it was given up."""

    late: bool = False


class Pool(Protocol):
    """Workers that do a task on items."""

    def map(
        self, task: Task, items: Sequence[Any], on_tick: Callable[[], None] | None = None
    ) -> Iterator[Any]:
        """The result of each item, in their order; `Crashed` where an item takes its worker down.

        No other item suffers for a crash. `on_tick` is called for each `tick` of a task; a pool
        that cannot hear them leaves that out, so no result may hang on it. One map at a time.

        Raises:
            Exception: what a task raised; the workers of this map are ended then.
        """
        ...

    def close(self) -> None:
        """End the workers, whatever they are doing; the next `map` starts new ones."""
        ...


def nothing() -> None:
    """The start of workers that need nothing."""


def whole(results: Iterable[Any], said: str) -> Iterator[Any]:
    """`results` for who can do without none of them.

    Raises:
        UserError: one of them crashed; its text is `said`.
    """
    for result in results:
        if isinstance(result, Crashed):
            raise UserError(said)
        yield result


_heard: Callable[[], None] | None = None


def tick() -> None:
    """Called by a task, in its worker: a part of the item is done."""
    if _heard is not None:
        _heard()


@contextlib.contextmanager
def hearing(listener: Callable[[], None] | None) -> Iterator[None]:
    """While this holds, `tick` calls `listener`. For pools."""
    global _heard
    before, _heard = _heard, listener
    try:
        yield
    finally:
        _heard = before
