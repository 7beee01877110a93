"""Parquet tables with named columns and explicit types, written atomically.

Types are stated by the caller, so that a column without a single value keeps its type and equal
rows give equal bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.store import atomic

if TYPE_CHECKING:
    import pandas as pd

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
    """The table as a frame; nulls stay null."""
    import pandas as pd

    return pd.read_parquet(path)


def records(path: Path) -> list[dict[str, Any]]:
    """The table as dictionaries, null as None."""
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()
