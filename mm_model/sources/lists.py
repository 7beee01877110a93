"""The tables of an index, Parquet or CSV, read in batches, and which column they have for what."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, first_line, of_machine
from mm_model.media.terms import NAME, Columns

if TYPE_CHECKING:
    import pyarrow.parquet as pq

PARQUET = ".parquet"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
ENDINGS = (PARQUET, *DELIMITERS)
"""Endings of the tables that are read."""
KNOWN = {
    "path": ("path", "file", "file_name", "filename", "image_path"),
    "caption": ("caption", "text", "TEXT"),
    "keyframe": ("keyframe_caption",),
    "licence": ("licence", "license"),
    "origin": ("origin", "url", "URL"),
    "subject": ("subject", "person"),
}
"""Columns that are looked for by these names, unless `source.yaml` names others."""

_BATCH = 1024
_LONGEST = 2 << 20
"""Characters of one field of a CSV; a caption of more than 1 MiB is refused by its own name."""

_SURPLUS = "\0"
"""The name of what a row of a CSV has beyond the columns."""

Row = dict[str, Any]


@dataclass(frozen=True)
class List:
    """A table of the index, the columns it has for each use, and its number of rows."""

    path: Path
    columns: dict[str, str]
    rows: int


def list_at(path: Path, named: Columns) -> List:
    """The table at `path`, its columns told apart.

    Raises:
        UserError: it cannot be read, has no column of names, or one that holds no text.
    """
    if path.suffix.lower() in DELIMITERS:
        with _csv(path) as reader:
            names = reader.fieldnames or []
            columns = _told_apart(path, names, named)
            return List(path, columns, sum(1 for _ in reader))
    import pyarrow as pa

    try:
        with _parquet(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damage(path, error) from None
    columns = _told_apart(path, schema.names, named)
    for name in columns.values():
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or _null(kind)):
            raise UserError(f"{path}: column {name!r} holds {kind}, where text is needed.")
    return List(path, columns, rows)


def rows_of(table: List) -> Iterator[Row | None]:
    """Each row, by what its columns are for; null is None. None: the row does not fit the columns.

    Raises:
        UserError: the table is damaged.
    """
    if table.path.suffix.lower() in DELIMITERS:
        yield from _rows_of_csv(table)
    else:
        yield from _rows_of_parquet(table)


def _told_apart(path: Path, names: Sequence[str], named: Columns) -> dict[str, str]:
    columns = {}
    for use, usual in KNOWN.items():
        wanted = getattr(named, use)
        if wanted is not None and wanted not in names:
            raise UserError(f"{path} has no column {wanted!r}, which {NAME} names for {use}.")
        found = [wanted] if wanted else [name for name in usual if name in names]
        if found:
            columns[use] = found[0]
    if not {"path", "origin"} & set(columns):
        raise UserError(
            f"{path} has no column of names ({', '.join(KNOWN['path'])} or url): name yours in "
            f"{NAME} with 'columns: {{path: ...}}'."
        )
    return columns


@contextmanager
def _csv(path: Path) -> Iterator["csv.DictReader[str]"]:
    """A CSV in UTF-8 as rows of texts.

    Raises, within the block too:
        UserError: it is none.
    """
    csv.field_size_limit(_LONGEST)  # it is the process's; nobody here wants it shorter
    delimiter = DELIMITERS[path.suffix.lower()]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.DictReader(file, restkey=_SURPLUS, strict=True, delimiter=delimiter)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damage(path, error) from None


def _rows_of_csv(table: List) -> Iterator[Row | None]:
    with _csv(table.path) as reader:
        for row in reader:
            fits = _SURPLUS not in row and None not in row.values()
            said = {use: row[name] or None for use, name in table.columns.items()}
            yield said if fits else None


def _rows_of_parquet(table: List) -> Iterator[Row]:
    import pyarrow as pa

    uses = list(table.columns)
    try:
        with _parquet(table.path) as file:
            names = [table.columns[use] for use in uses]
            for batch in file.iter_batches(_BATCH, columns=list(dict.fromkeys(names))):
                columns = [batch.column(name).to_pylist() for name in names]
                for values in zip(*columns, strict=True):
                    yield dict(zip(uses, values, strict=True))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damage(table.path, error) from None


def _null(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_null(kind) or pa.types.is_string_view(kind)


def _parquet(path: Path) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, memory_map=False, pre_buffer=False)


def _damage(path: Path, error: Exception) -> Exception:
    if isinstance(error, OSError) and of_machine(error):
        return error
    return UserError(f"{path} cannot be read as an index ({first_line(error)}): make it again.")
