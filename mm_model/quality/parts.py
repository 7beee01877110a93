"""The checks of a table that is too long to be held: part by part, to the verdict of the whole.

What is asked of a row is asked of every row, by Great Expectations, a part at a time. What is asked
of all rows together (how many there are, whether a value stands twice) is counted exactly over the
parts. A row that is against a check is found wherever it lies.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mm_model.quality.check import Check
from mm_model.quality.expectations import Expectations, raised
from mm_model.store import tables

ROWS_NAMED = 5
_COUNTS = ("ExpectTableRowCountToBeBetween",)
_COLUMNS = ("ExpectTableColumnsToMatchSet",)
_ONCE = ("ExpectColumnValuesToBeUnique", "ExpectCompoundColumnsToBeUnique")
_OF_A_ROW = ("ExpectColumnValues", "ExpectColumnPairValues")


@dataclass
class Found:
    """What was found of a check: `detail` as the library tells it, `rows` the first against it."""

    success: bool = True
    detail: dict[str, Any] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)

    def add(self, result: dict, rows: list[str]) -> None:
        """One part more."""
        told = result.get("result") or {}
        self.success = self.success and bool(result["success"]) and not raised(result)
        for name in ("unexpected_count", "element_count"):
            if name in told:
                self.detail[name] = self.detail.get(name, 0) + told[name]
        self.rows += rows[: ROWS_NAMED - len(self.rows)]


def row_name(frame: Any, index: Any, start: int = 0) -> str:
    """The row's key (first column) and position; an index may come as a number or a mapping."""
    position = index if isinstance(index, int) else next(iter(dict(index).values()))
    return f"{frame.iloc[position, 0]} (row {position + start})"


def named_rows(frame: Any, result: dict, start: int = 0) -> list[str]:
    """The first rows that a result is against."""
    found = (result.get("result") or {}).get("unexpected_index_list") or []
    return [row_name(frame, index, start) for index in found[:ROWS_NAMED]]


def found_in(path: Path, checks: Sequence[Check], size: int) -> list[Found]:
    """What was found of each check, `size` rows at a time.

    Raises:
        ValueError: a check is of a kind that cannot be asked part by part.
        UserError: the table is damaged.
    """
    found = [Found() for _ in checks]
    library, names = Expectations(), _columns_of(path, checks)
    of_a_row = [(n, c) for n, c in enumerate(checks) if c.expectation.startswith(_OF_A_ROW)]
    once = {n: _Once(c) for n, c in enumerate(checks) if c.expectation in _ONCE}
    of_a_row = [(n, c) for n, c in of_a_row if n not in once]
    counted = {n: 0 for n, c in enumerate(checks) if c.expectation in _COUNTS}
    for start, frame in _parts(path, names, size):
        results = library.together(frame, [check for _, check in of_a_row])
        for (number, _), result in zip(of_a_row, results, strict=True):
            found[number].add(result, named_rows(frame, result, start))
        for number in counted:
            counted[number] += len(_of_condition(frame, checks[number]))
        for one in once.values():
            one.see(frame, start)
    for number, rows in counted.items():
        found[number] = _count(checks[number], rows)
    for number, one in once.items():
        found[number] = one.found(path, names, size)
    for number, check in enumerate(checks):
        if check.expectation in _COLUMNS:
            empty = tables.schema(path).empty_table().to_pandas()
            (result,) = library.of(empty, [check])
            found[number] = Found(bool(result["success"]), result.get("result") or {})
        elif number not in counted and number not in once and (number, check) not in of_a_row:
            raise ValueError(f"{check.expectation} cannot be asked of a table part by part")
    return found


def _columns_of(path: Path, checks: Sequence[Check]) -> list[str]:
    """The table's key and the columns that the checks look at."""
    known = tables.schema(path).names
    words = {known[0]}
    for check in checks:
        if check.expectation not in _COLUMNS:
            words |= {str(check.column), *re.findall(r"\w+", str(dict(check.keywords)))}
    return [name for name in known if name in words]


def _parts(path: Path, names: Sequence[str], size: int) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each part with the place of its first row."""
    start = 0
    for batch in tables.batches(path, names, size=size):
        yield start, batch.to_pandas()
        start += batch.num_rows


def _of_condition(frame: pd.DataFrame, check: Check) -> pd.DataFrame:
    return frame if check.condition is None else frame.query(check.condition)


def _count(check: Check, rows: int) -> Found:
    low, high = (check.keywords.get(name) for name in ("min_value", "max_value"))
    above = low is None or rows >= float(str(low))
    return Found(above and (high is None or rows <= float(str(high))), {"observed_value": rows})


class _Once:
    """Whether a value, or several together, stand twice: by the digest of each, 16 bytes a row.

    Equal values have equal digests, so that where no digest stands twice no value does; otherwise
    the rows of such digests are read again and their values compared.
    """

    def __init__(self, check: Check) -> None:
        listed: Any = check.keywords.get("column_list", [check.column])
        self._check, self._columns = check, [str(name) for name in listed]
        self._digests: list[np.ndarray] = []
        self._rows = 0

    def see(self, frame: pd.DataFrame, start: int) -> None:
        """One part more."""
        rows = _of_condition(frame, self._check)
        self._rows += len(rows)
        self._digests.append(self._digest(rows)[0])

    def _digest(self, rows: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
        """A digest of each row's values uint64 [rows], of those that are not all null."""
        values = rows[self._columns].dropna(how="all")
        return pd.util.hash_pandas_object(values, index=False, categorize=False).to_numpy(), values

    def found(self, path: Path, names: Sequence[str], size: int) -> Found:
        """The verdict, after all parts were seen."""
        every = np.sort(np.concatenate([np.zeros(0, np.uint64), *self._digests]))
        self._digests = []
        again = np.unique(every[1:][every[1:] == every[:-1]])
        detail = {"element_count": self._rows, "unexpected_count": 0}
        if not len(again):
            return Found(True, detail)
        doubtful = []
        for start, frame in _parts(path, names, size):
            digests, values = self._digest(_of_condition(frame, self._check))
            values = values[np.isin(digests, again)]
            places = values.index + start
            keys = frame.iloc[values.index, 0]
            doubtful.append(values.set_axis(pd.MultiIndex.from_arrays([places, keys])))
        rows = pd.concat(doubtful)
        rows = rows[rows.duplicated(self._columns, keep=False)]
        detail["unexpected_count"] = len(rows)
        told = [f"{key} (row {place})" for place, key in rows.index[:ROWS_NAMED]]
        return Found(not len(rows), detail, told)
