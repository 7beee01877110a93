"""The pool that is no pool: items are worked on in this process, one after the other.

For work that is too little for a process, and for tests. It keeps no limits, and an item that takes
its process down takes this one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from mm_model.run.pools.port import Start, Task, hearing


class Here:
    """See `port.Pool`."""

    def __init__(self, start: Start) -> None:
        self._start = start

    @cached_property
    def _made(self) -> Any:
        return self._start()

    def map(
        self, task: Task, items: Sequence[Any], on_tick: Callable[[], None] | None = None
    ) -> Iterator[Any]:
        """The result of each item, in their order."""
        for item in items:
            with hearing(on_tick):
                result = task(self._made, item)
            yield result

    def close(self) -> None:
        """Let go of what `start` made."""
        self.__dict__.pop("_made", None)
