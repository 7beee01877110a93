"""The file of a batch: a CSV with an order a row, in columns that are called like the options.

What is wrong with the file as such (a column, a name) is refused before work starts; what is wrong
with one order is that row's alone. Light to import.
"""

from __future__ import annotations

import argparse
import copy
import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.methods.kinds import METHODS
from mm_model.serving import fields
from mm_model.store.atomic import Document
from mm_model.store.named import path as named_path
from mm_model.store.named import reason
from mm_model.vcd.lora import Lora

NAME = "name"
REFERENCES = "ref"
SUFFIXES = (".mp4", ".png")
_APART = ";"
"""Between several photographs of one cell."""

_OTHER_MARKS = (";", "\t")
"""What spreadsheets put between columns where a comma parts a number."""

Cell = Callable[[str, str, Path], Any]
"""`cell(column, text, beside)` is the value of a cell; raises `UserError` where it is none."""

_SURPLUS = "\0surplus"
_LONGEST_CELL = 100_000
_A_SHOT = re.compile(r"(.+)-shot\d+")
"""How the shots of a clip are called beside it (`place.ClipFiles`)."""


@dataclass(frozen=True)
class BatchRow:
    """One order. line: in the file, from 1. cells: column to text, none that is empty."""

    line: int
    name: str
    _: KW_ONLY
    cells: dict[str, str] = field(default_factory=dict)
    surplus: bool = False

    @property
    def stem(self) -> str:
        """The name of the clip and its record without an end."""
        path = Path(self.name)
        return path.stem if path.suffix in SUFFIXES else self.name

    def target(self, folder: Path, options: argparse.Namespace) -> Path:
        """Where the clip of these options lies: one frame is a picture."""
        if self.stem != self.name:
            return folder / self.name
        return folder / (self.name + SUFFIXES[options.frames == 1])


def read(path: Path) -> list[BatchRow]:
    """The orders of a file, in their order.

    Raises:
        UserError: it is no such table, has a column that is no option, or names that are double,
            empty, or no names of files in one folder.
    """
    try:
        csv.field_size_limit(_LONGEST_CELL)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey=_SURPLUS, restval="", strict=True)
            columns = list(reader.fieldnames or ())
            _refuse_columns(path, columns)
            rows = [_row(reader.line_num, cells) for cells in reader]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}): name a CSV file.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV in UTF-8 ({error}): save it as such.") from None
    if not rows:
        raise UserError(f"{path} holds no order: write one a row below the columns' names.")
    _refuse_names(path, rows)
    return rows


def _row(line: int, cells: Document) -> BatchRow:
    surplus = cells.pop(_SURPLUS, None) is not None
    texts = {name: text.strip() for name, text in cells.items() if text.strip()}
    return BatchRow(line, texts.pop(NAME, ""), cells=texts, surplus=surplus)


def _refuse_columns(path: Path, columns: list[str]) -> None:
    known = (NAME, *_CELLS)
    if len(columns) == 1 and any(mark in columns[0] for mark in _OTHER_MARKS):
        raise UserError(f"{path} has no commas between its columns: save it as CSV with commas.")
    if NAME not in columns:
        raise UserError(f"{path} has no column {NAME}: each order needs a name for its clip.")
    for column, number in Counter(columns).items():
        if column not in known:
            raise UserError(f"{path} has a column {column!r}: those known are {', '.join(known)}.")
        if number > 1:
            raise UserError(f"{path} has the column {column} twice: leave one out.")


def _refuse_names(path: Path, rows: list[BatchRow]) -> None:
    first: dict[str, BatchRow] = {}
    for row in rows:
        if not row.name:
            raise UserError(f"{path} line {row.line} has no {NAME}: give its clip one.")
        if "/" in row.name or "\\" in row.name or row.name.startswith(".") or "\0" in row.name:
            raise UserError(
                f"{path} line {row.line} is named {row.name!r}: give it the name of a file in the "
                "batch's folder, without a path and not hidden."
            )
        if (before := first.setdefault(row.stem, row)) is not row:
            raise UserError(
                f"{path} names {row.stem} twice (lines {before.line} and {row.line}): give each "
                "order a name of its own."
            )
    for row in first.values():
        film = _A_SHOT.fullmatch(row.stem)
        if film and (whole := first.get(film[1])):
            raise UserError(
                f"{path} names {row.stem} (line {row.line}), as a shot of {whole.stem} (line "
                f"{whole.line}) would be called: give one of them another name."
            )


def options_of(row: BatchRow, common: argparse.Namespace, beside: Path) -> argparse.Namespace:
    """What `common` says with the row's own values instead; its paths lie `beside` the file.

    Raises:
        UserError: a cell does not hold what its column does, or there are more cells than columns.
    """
    if row.surplus:
        raise UserError(
            "It has more cells than there are columns: put a sentence with a comma in quotes."
        )
    options = copy.copy(common)
    for column, text in row.cells.items():
        setattr(options, column.replace("-", "_"), _CELLS[column](column, text, beside))
    if "prompt" in row.cells and "shots" not in row.cells:
        options.shots = None
    if "shots" in row.cells and "prompt" not in row.cells:
        options.prompt = None
    return options


def _text(_: str, text: str, beside: Path) -> str:
    return text


def _sentence(_: str, text: str, beside: Path) -> list[str]:
    return [text]


def _path(_: str, text: str, beside: Path) -> Path:
    return beside / named_path(text)


def _paths(_: str, text: str, beside: Path) -> list[Path]:
    return [beside / named_path(one.strip()) for one in text.split(_APART) if one.strip()]


def _lora(_: str, text: str, beside: Path) -> Lora:
    said = Lora.of(text)
    return Lora(beside / said.file, said.scale)


def _name_or_folder(_: str, text: str, beside: Path) -> str:
    """A folder beside the file, where there is one of that name."""
    place = beside / named_path(text)
    return str(place) if place.is_dir() else text


def _method(column: str, text: str, beside: Path) -> str:
    if text not in METHODS:
        raise UserError(f"{column} is {text!r}: give {', '.join(METHODS[:-1])} or {METHODS[-1]}.")
    return text


def _number(whole: bool) -> Cell:
    kind = int if whole else float

    def read_number(column: str, text: str, beside: Path) -> float:
        try:
            return kind(text)
        except ValueError:
            said = "a whole number" if whole else "a number"
            raise UserError(f"{column} is {text!r}: give {said}.") from None

    return read_number


_CELLS: dict[str, Cell] = {
    "prompt": _sentence,
    "shots": _path,
    "method": _method,
    REFERENCES: _paths,
    "consent": _text,
    "adapter": _name_or_folder,
    "facepack": _path,
    "subject": _name_or_folder,
    "weights": _path,
    "motion": _path,
    "lora": _lora,
    "refine": _text,
    **{
        option: _text if len(together) > 1 else _number(together[0].whole)
        for option, together in fields.by_option().items()
    },
}
"""Columns beside the name; each reads a cell as its option is read."""
