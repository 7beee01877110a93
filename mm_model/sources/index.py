"""The source that is a table of files: Parquet, with the files it names beside it.

A row says where a file lies and what is known of it: caption, licence, where it came from, who is
shown. The table is read in batches. Every row is an item; one whose file is missing (links rot) or
must not be opened says why.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mm_model.errors import UserError, first_line, of_machine
from mm_model.media.captions import CaptionError, caption_of, clean
from mm_model.media.failure import MediaError
from mm_model.media.names import shown
from mm_model.media.terms import NAME, Columns, terms_of
from mm_model.records import Reason
from mm_model.run.stage import Job
from mm_model.sources.members import unsafe_name
from mm_model.sources.port import Item, Remarks
from mm_model.sources.told import Own, Said, Told, told_of
from mm_model.store import digests
from mm_model.store.walk import entries_below, why

if TYPE_CHECKING:
    import pyarrow.parquet as pq

ENDING = ".parquet"
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
_NOT_FILES = (".yaml", ".yml", ".json", ".txt", ENDING)


def fits(path: Path) -> bool:
    """A folder that says that it is one with an index."""
    return path.is_dir() and terms_of(path).kind == "index"


def opened(path: Path, job: Job) -> "Index":
    """The index in the folder; it is not read without a record of consent.

    Raises:
        UserError: no consent record, or no table that can be read as an index.
    """
    return Index(path, told_of(path, job))


@dataclass(frozen=True)
class _Table:
    """A file of the index, the columns it has for each use, and its number of rows."""

    path: Path
    columns: dict[str, str]
    rows: int


class Index:
    """See `port.Source`. In memory: one batch of rows, and a mark a name.

    Raises:
        UserError: there is no table, it cannot be read, or it has no column of names.
    """

    synthetic = False

    def __init__(self, path: Path, told: Told) -> None:
        self._folder, self._told = Path(os.path.realpath(path)), told
        self._tables = [_looked_at(one, told.terms.columns) for one in self._paths()]
        self._named: set[bytes] = set()

    def _paths(self) -> list[Path]:
        table = self._told.terms.table
        if table:
            return [self._folder / table]
        try:
            found = sorted(self._folder.iterdir())
        except OSError as error:
            raise UserError(f"{self._folder} cannot be listed ({why(error)}).") from None
        tables = [one for one in found if one.suffix == ENDING and not one.name.startswith(".")]
        if not tables:
            raise UserError(
                f"{self._folder} has no {ENDING} file, though its {NAME} says 'kind: index': put "
                "it there, or name it with 'table:'."
            )
        return tables

    def __len__(self) -> int:
        return sum(table.rows for table in self._tables)

    def items(self) -> Iterator[Item]:
        """An item a row, in the order of tables and rows."""
        self._named = set()
        for table in self._tables:
            for number, row in enumerate(_rows(table), 1):
                yield self._item(row, f"{table.path.name}#row-{number}")

    def _item(self, row: dict[str, Any], place: str) -> Item:
        """The item of one row. A row that must not have the name of its file goes by its place."""
        path = _text(row.get("path")) or _from_address(_text(row.get("origin")))
        own = Own(
            caption=_caption(row.get("caption")),
            keyframe=_caption(row.get("keyframe")),
            licence=_short(row.get("licence")),
            origin=_short(row.get("origin")),
            subject=_short(row.get("subject")),
        )
        problem = (
            unsafe_name(path) if path else MediaError(Reason.IO_MISSING, "the row names no file")
        )
        if problem is None and self._is_known(path):
            problem = MediaError(Reason.IO_TWICE, "the index names this file in an earlier row too")
        if problem is not None:
            return self._told.item(Path(place), b"", problem, own)
        content = self._folder / path
        return self._told.item(Path(path), content, self._problem(content), own)

    def _is_known(self, path: str) -> bool:
        """Was the file named before? From now on it is."""
        mark = _mark(path)
        known = mark in self._named
        self._named.add(mark)
        return known

    def _problem(self, path: Path) -> MediaError | None:
        """Why the file must not be opened, if so."""
        try:
            if not Path(os.path.realpath(path)).is_relative_to(self._folder):
                return MediaError(Reason.IO_SYMLINK_ESCAPE, "the link leads out of the folder")
            mode = path.stat().st_mode
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return MediaError(
                    Reason.IO_MISSING, "the index names it, and no such file lies here"
                )
            return MediaError(Reason.IO_UNREADABLE, f"cannot be looked at ({why(error)})")
        if not stat.S_ISREG(mode):
            return MediaError(Reason.IO_UNREADABLE, "not a regular file")
        return None

    @cached_property
    def _unnamed(self) -> tuple[int, str]:
        """How many files no row names, and the first of them."""
        number, first = 0, ""
        for entry in entries_below(self._folder, lambda name: not name.startswith(".")):
            name = os.fsdecode(bytes(entry.relative))
            if entry.relative.suffix.lower() in _NOT_FILES or _mark(name) in self._named:
                continue
            number, first = number + 1, min(first or name, name)
        return number, first

    def remarks(self) -> Remarks:
        """Files that no row names: they are not read."""
        number, first = self._unnamed
        said = f"files that the index does not name, and that are not read: {number}, e.g. "
        return Remarks((said + shown(first),) if number else ())


def _mark(name: str) -> bytes:
    return bytes.fromhex(digests.of_bytes(os.fsencode(Path(name)))[:16])


def _looked_at(path: Path, named: Columns) -> _Table:
    """The table at `path`, its columns told apart.

    Raises:
        UserError: it cannot be read, has no column of names, or one that holds no text.
    """
    import pyarrow as pa

    try:
        with _parquet(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damage(path, error) from None
    columns = {}
    for use, usual in KNOWN.items():
        wanted = getattr(named, use)
        if wanted is not None and wanted not in schema.names:
            raise UserError(f"{path} has no column {wanted!r}, which {NAME} names for {use}.")
        found = [wanted] if wanted else [name for name in usual if name in schema.names]
        if found:
            columns[use] = found[0]
    if not {"path", "origin"} & set(columns):
        raise UserError(
            f"{path} has no column of names ({', '.join(KNOWN['path'])} or url): name yours in "
            f"{NAME} with 'columns: {{path: ...}}'."
        )
    for name in columns.values():
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or _null(kind)):
            raise UserError(f"{path}: column {name!r} holds {kind}, where text is needed.")
    return _Table(path, columns, rows)


def _null(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_null(kind) or pa.types.is_string_view(kind)


def _parquet(path: Path) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, memory_map=False, pre_buffer=False)


def _rows(table: _Table) -> Iterator[dict[str, Any]]:
    """Each row, by what its columns are for; null is None.

    Raises:
        UserError: the table is damaged.
    """
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


def _damage(path: Path, error: Exception) -> Exception:
    if isinstance(error, OSError) and of_machine(error):
        return error
    return UserError(f"{path} cannot be read as an index ({first_line(error)}): make it again.")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(value: Any) -> str | None:
    return clean(_text(value))[:300] or None


def _from_address(address: str) -> str:
    """The last part of the path of a URL, by which its file is looked for; "" without one."""
    try:
        return unquote(urlsplit(address).path.rpartition("/")[2])
    except ValueError:
        return ""


def _caption(value: Any) -> Said:
    if not isinstance(value, str) or not value:
        return None
    try:
        return caption_of(value, "the caption in the index")
    except CaptionError as error:
        return error
