"""Rows on the disk of which some columns are held as arrays, and may be changed.

For stages that decide on all rows together: what they compare and change is in memory, eight bytes
a number and four a text that many rows share; everything else is read where it is asked for.
"""

from array import array
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, overload

from mm_model.rows import Row
from mm_model.store.spill import Spill

_NONE = -(2**62)

Kinds = Mapping[str, str]
"""Column to text, number or count; texts are few different ones, numbers finite."""


class HeldRow(MutableMapping[str, Any]):
    """One row: columns that are held are read and changed in memory, others are the disk's."""

    __slots__ = ("_rows", "place")

    def __init__(self, rows: "HeldRows", place: int) -> None:
        self._rows, self.place = rows, place

    def __getitem__(self, name: str) -> Any:
        column = self._rows.columns.get(name)
        if column is not None:
            return column.get(self.place)
        return self._rows.spill[self.place][name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._rows.columns[name].set(self.place, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name} cannot be taken from a row")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._rows.spill[self.place], *self._rows.columns)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class HeldRows(Sequence[HeldRow]):
    """Rows in the order in which they were appended; the columns of `held` may be changed."""

    def __init__(self, spill: Spill, held: Kinds) -> None:
        self.spill = spill
        self.columns = {name: _Column(kind) for name, kind in held.items()}

    def append(self, row: Row) -> None:
        """Add a row; a column that is held and absent is None."""
        self.spill.append(row)
        for name, column in self.columns.items():
            column.append(row.get(name))

    def __len__(self) -> int:
        return len(self.spill)

    @overload
    def __getitem__(self, place: int) -> HeldRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[HeldRow]: ...
    def __getitem__(self, place: int | slice) -> HeldRow | list[HeldRow]:
        if isinstance(place, slice):
            return [HeldRow(self, one) for one in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return HeldRow(self, place)

    def whole(self) -> Iterator[Row]:
        """The rows as they are now, each read from the disk once."""
        for place, row in enumerate(self.spill):
            yield row | {name: column.get(place) for name, column in self.columns.items()}


class _Column:
    def __init__(self, kind: str) -> None:
        self._values: array[Any] = array({"number": "d", "count": "q", "text": "i"}[kind])
        self._codes: dict[str, int] = {}
        self._texts: list[str] = []
        self._kind = kind

    def append(self, value: Any) -> None:
        self._values.append(self._stored(value))

    def set(self, place: int, value: Any) -> None:
        self._values[place] = self._stored(value)

    def get(self, place: int) -> Any:
        value = self._values[place]
        if self._kind == "text":
            return None if value < 0 else self._texts[int(value)]
        return None if value != value or value == _NONE else value  # NaN differs from itself

    def _stored(self, value: Any) -> float | int:
        if self._kind == "number":
            return float("nan") if value is None else float(value)
        if self._kind == "count":
            return _NONE if value is None else int(value)
        if value is None:
            return -1
        code = self._codes.setdefault(str(value), len(self._texts))
        if code == len(self._texts):
            self._texts.append(str(value))
        return code
