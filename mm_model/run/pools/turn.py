"""One map of a pool: which items wait, which are begun again, and which results are next."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from mm_model.run.pools.port import Crashed

_MOVES = 3
"""Places that go away under an item before it is suspected, and again before it is given up."""


class Turn:
    """One map: which items wait, which were tried, and the results that are not told yet.

    number: items. tries: as in `Limits`. ahead: how far beyond the first result that is not told
    an item may be begun, so that no more results than that are held; None is any.
    """

    def __init__(self, number: int, tries: int, ahead: int | None = None) -> None:
        self._waiting, self._again = deque(range(number)), deque[int]()
        self._number, self._tries, self._tried = number, tries, Counter[int]()
        self._ahead, self._moved = number if ahead is None else ahead, Counter[int]()
        self._next = 0
        self.results: dict[int, Any] = {}

    @property
    def over(self) -> bool:
        """Whether all results are told."""
        return self._next == self._number

    @property
    def left(self) -> int:
        """Items that were not begun, but for those that are begun again."""
        return len(self._waiting)

    def take(self, working: int) -> int | None:
        """The item to begin next while so many are worked on; None when there is none."""
        if self._waiting:
            if self._waiting[0] < self._next + self._ahead:
                return self._waiting.popleft()
            if working or not self._again:
                return None
        return self._again.popleft() if self._again and not working else None

    def gone(self, place: int, how: Crashed) -> None:
        """The item took its worker down: begin it again, alone, or put it down."""
        self._tried[place] += 1
        if self._tried[place] < self._tries:
            self._again.append(place)
        else:
            self.results[place] = how

    def moved(self, places: Sequence[int]) -> None:
        """The machine of these items went away, which is no fault of theirs: begin them again.

        An item that loses one machine after the other is begun alone; if that ends as often, it
        has crashed.
        """
        for place in reversed(places):
            self._moved[place] += 1
            if self._moved[place] > 2 * _MOVES:
                self.results[place] = Crashed()
            elif self._moved[place] > _MOVES or self._tried[place]:
                self._again.appendleft(place)
            else:
                self._waiting.appendleft(place)

    def in_order(self) -> Iterator[Any]:
        """The results that are next, each once."""
        while self._next in self.results:
            self._next += 1
            yield self.results.pop(self._next - 1)
