"""Rows of a table by their key, held as columns: 16 bytes a row beyond what the columns take."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mm_model.errors import UserError
from mm_model.rows import Row
from mm_model.store import tables

if TYPE_CHECKING:
    import pyarrow as pa


_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


class Lookup:
    """Those of `columns` that a table has, of the rows that are as `where` says, by `key`.

    A null key is found by nobody. `len` is the number of rows.

    Raises:
        UserError: the file is missing or damaged.
    """

    def __init__(
        self, path: Path, key: str, columns: Sequence[str], where: tables.Where | None = None
    ) -> None:
        names = list(dict.fromkeys((key, *columns)))
        self._key = key
        self._table = tables.columns_where(path, names, where)
        self._batches = [batch for batch in self._table.to_batches() if batch.num_rows]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        known = np.concatenate(
            [np.zeros(0, np.uint64), *(_digests(batch[key]) for batch in self._batches)]
        )
        self._order = np.argsort(known, kind="stable")
        self._known = known[self._order]

    def __len__(self) -> int:
        return self._table.num_rows

    def __contains__(self, key: object) -> bool:
        return bool(len(self.places(str(key))))

    def row(self, key: str) -> Row:
        """The one row of `key`, null as None.

        Raises:
            KeyError: there is none.
            UserError: there are several.
        """
        places = self.places(key)
        if not len(places):
            raise KeyError(key)
        if len(places) > 1:
            raise UserError(tables.twice(key, len(places)))
        return self._at(int(places[0]))

    def rows(self, key: str) -> "pa.Table":
        """All rows of `key`, in the table's order."""
        return self._table.take(self.places(key))

    def places(self, key: str) -> np.ndarray:
        """Where the rows of `key` are, int64, in the table's order."""
        import pyarrow as pa

        digest = _digests(pa.array([key]))
        first, last = (np.searchsorted(self._known, digest, side)[0] for side in _SIDES)
        found = self._order[first:last]
        return found[[self._at(int(place), self._key)[self._key] == key for place in found]]

    def joined(self, keys: "pa.Array") -> "pa.Table":
        """A row for each key: the first that the key has, or nulls."""
        import pyarrow as pa
        import pyarrow.compute as pc

        digests = _digests(keys)
        near = np.minimum(np.searchsorted(self._known, digests), max(0, len(self) - 1))
        if not len(self):
            empty = {field.name: pa.nulls(len(keys), field.type) for field in self._table.schema}
            return pa.table(empty)
        places = self._order[near]
        found = self._table[self._key].take(pa.array(places))
        meant = pc.fill_null(pc.equal(found, pa.chunked_array([keys])), False).to_numpy()
        for lost in np.flatnonzero(~meant & (self._known[near] == digests)):
            key = keys[int(lost)].as_py()
            if key is not None and len(own := self.places(key)):  # two keys of one digest
                places[lost], meant[lost] = own[0], True
        return self._table.take(pa.array(places, mask=~meant))

    def _at(self, place: int, *names: str) -> Row:
        number = int(np.searchsorted(self._starts, place, "right")) - 1
        batch = self._batches[number].slice(place - int(self._starts[number]), 1)
        return (batch.select(list(names)) if names else batch).to_pylist()[0]


def _digests(keys: "pa.Array") -> np.ndarray:
    """A number uint64 of each key; equal keys have equal numbers."""
    import pandas as pd

    texts = keys.to_numpy(zero_copy_only=False)
    return pd.util.hash_array(texts.astype(object), categorize=False)
