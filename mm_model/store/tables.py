"""Parquet tables with named columns and explicit types, written atomically and read in parts.

Types are stated by the caller, so that a column without a single value keeps its type and equal
rows give equal bytes, whatever the portions they come in. A table is written and read a row group
at a time, so that its length costs no memory; what needs all of it holds columns, not Python rows.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, first_line, of_machine
from mm_model.rows import Row
from mm_model.store import atomic, recovery

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

_ARROW = {"text": "string", "number": "float64", "count": "int64", "flag": "bool"}

DECISION_TYPES = {"reason_value": "number", "reason_threshold": "number"}
"""Types of the decision columns that are not text."""


ROW_GROUP = 65_536
"""Rows that lie together in a file, and are held at once."""

_PORTION = 8_192
"""Rows that are Python objects at once while a table is written."""

Where = Mapping[str, str | Collection[str]]
"""Column to the text, or to the texts, that a row must have there."""


class Writer:
    """A table on its way to the disk; see `writing`."""

    def __init__(self, aside: Path, target: Path, schema: "pa.Schema") -> None:
        import pyarrow.parquet as pq

        self._name, self.schema = target.name, schema
        self._file = pq.ParquetWriter(aside, schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows, in their order; a missing key is null.

        Raises:
            ValueError: a row has a key that is no column, or a value that does not fit its type.
        """
        import pyarrow as pa

        names, left = self.schema.names, iter(rows)
        known = set(names)
        while portion := list(islice(left, _PORTION)):
            if extra := {key for row in portion for key in row} - known:
                raise ValueError(f"{self._name}: {sorted(extra)} are no columns")
            columns = {name: [row.get(name) for row in portion] for name in names}
            self.add_columns(pa.table(columns, schema=self.schema))

    def add_columns(self, table: "pa.Table") -> None:
        """Add the rows of a table that has exactly these columns and types.

        Raises:
            ValueError: it has others.
        """
        if not table.schema.equals(self.schema):
            raise ValueError(f"{self._name} has other columns or types than the rows to add")
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            self._write(whole_groups=True)

    def _write(self, whole_groups: bool) -> None:
        """Write what waits, so that where a group ends depends on the number of rows alone."""
        import pyarrow as pa

        table = pa.concat_tables(self._waiting)
        last = table.num_rows - table.num_rows % ROW_GROUP if whole_groups else table.num_rows
        for start in range(0, last, ROW_GROUP):
            group = table.slice(start, min(ROW_GROUP, last - start))
            self._file.write_table(group.combine_chunks(), row_group_size=ROW_GROUP)
        self._waiting = [table.slice(last).combine_chunks()]
        self._rows = table.num_rows - last

    def close(self, complete: bool) -> None:
        """End the file; `complete` also writes the rows that wait."""
        if complete and not self._waiting:
            self._file.write_table(self.schema.empty_table())
        elif complete and self._rows:
            self._write(whole_groups=False)
        self._file.close()


@contextlib.contextmanager
def writing(path: Path, columns: Sequence[str], types: Mapping[str, str]) -> Iterator[Writer]:
    """Yield a writer of a table with exactly `columns`; those absent from `types` are text.

    `types` maps a column to text, number, count or flag. The table is at `path` when the block
    ends; after an exception what was there stays.
    """
    import pyarrow as pa

    kinds = {column: _ARROW[types.get(column, "text")] for column in columns}
    schema = pa.schema([(column, pa.type_for_alias(kind)) for column, kind in kinds.items()])
    with atomic.written_aside(path) as aside:
        writer = Writer(aside, path, schema)
        complete = False
        try:
            yield writer
            complete = True
        finally:
            writer.close(complete)


def write(
    path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], types: Mapping[str, str]
) -> None:
    """Write `rows` with exactly `columns`; those absent from `types` are text.

    `types` maps a column to text, number, count or flag. A missing key of a row is null. `rows`
    may be an iterator: few of them are held at once.

    Raises:
        ValueError: a row has a key that is no column, or a value that does not fit its type.
    """
    with writing(path, columns, types) as writer:
        writer.add(rows)


def batches(
    path: Path,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    size: int = ROW_GROUP,
) -> "Iterator[pa.RecordBatch]":
    """The rows in their order, at most `size` at a time; no other column is read.

    Those of `columns` that the table has, or all; of the rows, those that are as `where` says. A
    row group in which there is none is not read further.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path), pq.ParquetFile(path) as file:
        known = file.schema_arrow.names
        names = known if columns is None else [name for name in columns if name in known]
        for group in range(file.num_row_groups):
            wanted = None
            if where:
                if not all(_possible(file, group, *rule) for rule in where.items()):
                    continue
                wanted = _fitting(file.read_row_group(group, columns=list(where)), where)
                if not wanted.any():
                    continue
            start = 0
            for batch in file.iter_batches(size, row_groups=[group], columns=names):
                stop = start + batch.num_rows
                yield batch if wanted is None else batch.filter(_array(wanted[start:stop]))
                start = stop


def _array(values: "np.ndarray") -> "pa.Array":
    import pyarrow as pa

    return pa.array(values)


def _possible(file: Any, group: int, column: str, values: str | Collection[str]) -> bool:
    """Whether a row group may hold one of `values`, by the smallest and the largest it has."""
    place = file.schema_arrow.get_field_index(column)
    if place < 0:
        raise ValueError(f"it has no column '{column}'")
    told = file.metadata.row_group(group).column(place).statistics
    if told is None or not told.has_min_max:
        return True
    wanted = [values] if isinstance(values, str) else values
    return any(told.min <= value <= told.max for value in wanted)


def _fitting(table: "pa.Table", where: Where) -> "np.ndarray":
    """Which rows are as `where` says, bool [rows]; null is like nothing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    found = np.ones(table.num_rows, bool)
    for column, values in where.items():
        wanted = [str(values)] if isinstance(values, str) else [str(one) for one in values]
        found &= pc.is_in(table[column], pa.array(sorted(wanted), pa.string())).to_numpy()
    return found


def rows(
    path: Path, columns: Sequence[str] | None = None, where: Where | None = None
) -> Iterator[Row]:
    """As `batches`, a row at a time, null as None; few are held at once."""
    for batch in batches(path, columns, where, _PORTION):
        yield from batch.to_pylist()


def schema(path: Path) -> "pa.Schema":
    """The columns and their types; no row is read.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        return pq.read_schema(path)


def taken(path: Path, places: Sequence[int], columns: Sequence[str]) -> list[Row]:
    """The rows at `places`, in that order, with those of `columns` that the table has.

    Raises:
        IndexError: the table has no such place.
        UserError: the file is missing or damaged.
    """
    import numpy as np

    wanted, start = np.unique(np.asarray(places, np.int64)), 0
    found: dict[int, Row] = {}
    for batch in batches(path, columns):
        inside = wanted[(wanted >= start) & (wanted < start + batch.num_rows)]
        rows_here = batch.take(_array(inside - start)).to_pylist()
        found.update(zip(inside.tolist(), rows_here, strict=True))
        start += batch.num_rows
    if len(found) < len(wanted):
        raise IndexError(f"{path} has {start} rows, and others were asked for")
    return [found[place] for place in places]


def number_of_rows(path: Path) -> int:
    """How many rows the table has; none is read.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        return pq.read_metadata(path).num_rows


def read(
    path: Path, columns: Sequence[str] | None = None, where: Where | None = None
) -> "pd.DataFrame":
    """The table as a frame, or the columns and rows of it that `batches` gives; nulls stay null.

    Raises:
        UserError: the file is missing or damaged.
    """
    return columns_where(path, columns, where).to_pandas(split_blocks=True, self_destruct=True)


def columns_where(
    path: Path, columns: Sequence[str] | None, where: Where | None = None
) -> "pa.Table":
    """What `batches` gives as one table.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow as pa

    known = schema(path)
    names = known.names if columns is None else [name for name in columns if name in known.names]
    kept = pa.schema([known.field(name) for name in names], metadata=known.metadata)
    parts = [batch.cast(kept) for batch in batches(path, names, where)]
    return pa.Table.from_batches(parts, kept)


def twice(key: str, number: int) -> str:
    """The sentence on a key that stands in `number` rows, where it may stand in one."""
    return (
        f"'{key}' stands {number} times in a table that may hold it once: run the stage "
        "that made the table again."
    )


def records(path: Path) -> list[Row]:
    """The table as dictionaries, null as None, all at once: about 2 KB a row of `ingest`.

    Raises:
        UserError: the file is missing or damaged.
    """
    return list(rows(path))


def columns(path: Path, names: Sequence[str]) -> "pa.Table":
    """Those of the columns `names` that the table has; no other is read.

    Raises:
        UserError: the file is missing or damaged.
    """
    return columns_where(path, names)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        if of_machine(error):
            raise
        raise UserError(
            f"{path} cannot be read as a table ({first_line(error)}): {recovery.way_out_of(path)}."
        ) from None
