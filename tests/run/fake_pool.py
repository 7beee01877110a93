"""A pool for tests: works in this process, notes what it was asked for, and crashes when told to.

`chosen` makes it the pool of every stage, as somebody would choose another one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mm_model.run.pools import table
from mm_model.run.pools.here import Here
from mm_model.run.pools.port import Crashed, Limits, Pool, Start


@dataclass
class Notes:
    """What the fake was asked for. `fails` says how the worker of an item ends; None is well."""

    fails: Callable[[Any], Crashed | None] = lambda _: None
    opened: list[tuple[int, Limits]] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)


_notes = Notes()


def _make(start: Start, processes: int, limits: Limits) -> Pool:
    """As `open_pool` calls it."""
    _notes.opened.append((processes, limits))
    return _Fake(start)


class _Fake(Here):
    def map(
        self, task: Any, items: Sequence[Any], on_tick: Callable[[], None] | None = None
    ) -> Iterator[Any]:
        for item in items:
            _notes.items.append(item)
            end = _notes.fails(item)
            yield from [end] if end else super().map(task, [item], on_tick)


def chosen(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[Any], Crashed | None] = lambda _: None
) -> Notes:
    """Make the fake the pool that is named, until the test ends."""
    global _notes
    _notes = Notes(fails)
    monkeypatch.setitem(table.POOLS, "fake", _make)
    monkeypatch.setenv(table.VARIABLE, "fake")
    return _notes
