"""The source that is a table of files: Parquet or CSV, with the files it names beside it.

A row says where a file lies and what is known of it: caption, licence, where it came from, who is
shown. The table is read in batches. Every row is an item; one whose file is missing (links rot) or
must not be opened says why.
"""

import errno
import os
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mm_model.errors import UserError
from mm_model.media.captions import CaptionError, caption_of, clean
from mm_model.media.failure import MediaError
from mm_model.media.names import shown
from mm_model.media.terms import NAME, terms_of
from mm_model.records import Reason
from mm_model.run.stage import Job
from mm_model.sources.lists import ENDINGS, PARQUET, Row, list_at, rows_of
from mm_model.sources.members import unsafe_name
from mm_model.sources.port import Item, Remarks
from mm_model.sources.told import Own, Said, Told, told_of
from mm_model.store import digests
from mm_model.store.walk import entries_below, why

_NOT_FILES = (".yaml", ".yml", ".json", ".txt", PARQUET)


def fits(path: Path) -> bool:
    """A folder that says that it is one with an index."""
    return path.is_dir() and terms_of(path).kind == "index"


def opened(path: Path, job: Job) -> "Index":
    """The index in the folder; it is not read without a record of consent.

    Raises:
        UserError: no consent record, or no table that can be read as an index.
    """
    return Index(path, told_of(path, job))


class Index:
    """See `port.Source`. In memory: one batch of rows, and a mark a name.

    Raises:
        UserError: there is no table, it cannot be read, or it has no column of names.
    """

    synthetic = False

    def __init__(self, path: Path, told: Told) -> None:
        self._folder, self._told = Path(os.path.realpath(path)), told
        self._tables = [list_at(one, told.terms.columns) for one in self._paths()]
        self._named: set[bytes] = set()

    def _paths(self) -> list[Path]:
        table = self._told.terms.table
        if table:
            return [self._folder / table]
        try:
            found = sorted(self._folder.iterdir())
        except OSError as error:
            raise UserError(f"{self._folder} cannot be listed ({why(error)}).") from None
        found = [one for one in found if not one.name.startswith(".")]
        tables = [one for one in found if one.suffix == PARQUET]
        # A CSV beside Parquet may be anything.
        tables = tables or [one for one in found if one.suffix.lower() in ENDINGS]
        if not tables:
            raise UserError(
                f"{self._folder} has no table ({', '.join(ENDINGS)}), though its {NAME} says "
                "'kind: index': put it there, or name it with 'table:'."
            )
        return tables

    def __len__(self) -> int:
        return sum(table.rows for table in self._tables)

    def items(self) -> Iterator[Item]:
        """An item a row, in the order of tables and rows."""
        self._named = set()
        for table in self._tables:
            for number, row in enumerate(rows_of(table), 1):
                yield self._item(row, f"{table.path.name}#row-{number}")

    def _item(self, row: Row | None, place: str) -> Item:
        """The item of one row. A row that must not have the name of its file goes by its place."""
        if row is None:
            said = "the row has not as many fields as the table has columns"
            return self._told.item(Path(place), b"", MediaError(Reason.IO_UNREADABLE, said))
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
        own = {table.path for table in self._tables}
        for entry in entries_below(self._folder, lambda name: not name.startswith(".")):
            name = os.fsdecode(bytes(entry.relative))
            no_file = entry.path in own or entry.relative.suffix.lower() in _NOT_FILES
            if no_file or _mark(name) in self._named:
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
