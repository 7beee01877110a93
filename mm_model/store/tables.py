"""Parquet tables with named columns and explicit types, written atomically.

Types are stated by the caller, so that a column without a single value keeps its type and equal
rows give equal bytes.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, first_line, of_machine
from mm_model.rows import Row
from mm_model.store import atomic, recovery

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ARROW = {"text": "string", "number": "float64", "count": "int64", "flag": "bool"}

DECISION_TYPES = {"reason_value": "number", "reason_threshold": "number"}
"""Types of the decision columns that are not text."""


def write(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], types: Mapping[str, str]
) -> None:
    """Write `rows` with exactly `columns`; those absent from `types` are text.

    `types` maps a column to text, number, count or flag. A missing key of a row is null.

    Raises:
        ValueError: a row has a key that is no column, or a value that does not fit its type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if extra := {key for row in rows for key in row} - set(columns):
        raise ValueError(f"{path.name}: {sorted(extra)} are no columns")
    kinds = {column: _ARROW[types.get(column, "text")] for column in columns}
    schema = pa.schema([(column, pa.type_for_alias(kind)) for column, kind in kinds.items()])
    table = pa.table(
        {column: [row.get(column) for row in rows] for column in columns}, schema=schema
    )
    with atomic.written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd")


def read(path: Path) -> "pd.DataFrame":
    """The table as a frame; nulls stay null.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pandas as pd

    with _readable(path):
        return pd.read_parquet(path)


def row_of(frame: "pd.DataFrame", key: str) -> "pd.Series[Any]":
    """The one row of `frame` whose index is `key`.

    Raises:
        KeyError: there is none.
        UserError: there are several.
    """
    import pandas as pd

    row = frame.loc[key]
    if not isinstance(row, pd.Series):
        raise UserError(
            f"'{key}' stands {len(row)} times in a table that may hold it once: run the stage "
            "that made the table again."
        )
    return row


def records(path: Path) -> list[Row]:
    """The table as dictionaries, null as None.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        return pq.read_table(path).to_pylist()


def columns(path: Path, names: Sequence[str]) -> "pa.Table":
    """Those of the columns `names` that the table has; no other is read.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        known = set(pq.read_schema(path).names)
        return pq.read_table(path, columns=[name for name in names if name in known])


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
