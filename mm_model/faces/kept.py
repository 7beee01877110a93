"""The samples whose face was kept before people were told apart."""

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from mm_model.records import Status
from mm_model.store.held import HeldRow, HeldRows

Pair = tuple[HeldRow, HeldRow]


class Kept(Sequence[Pair]):
    """(row of ingest, row of faces) of each of them, in the order of ids."""

    def __init__(self, samples: HeldRows, rows: HeldRows) -> None:
        self._samples, self._rows = samples, rows
        kept = (place for place, row in enumerate(rows) if row["status"] == Status.KEPT)
        self._places = array("q", kept)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        at = self._places[place]
        return self._samples[at], self._rows[at]

    def __iter__(self) -> Iterator[Pair]:
        for at in self._places:
            yield self._samples[at], self._rows[at]
