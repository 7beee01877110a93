"""What DVC shows and compares of an output: a few figures, and tables that it draws as curves.

Written beside what they are taken from: DVC reads neither Parquet nor a choice of one from many
numbers (`metrics:` and `plots:` of `dvc.yaml`).
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from mm_model.store.atomic import write_bytes, write_json

NAME = "figures.json"
PLOTS = "plots"
POINTS = 200
"""A curve is drawn from at most so many rows."""

Point = Mapping[str, float | int | str | None]


def write(out: Path, values: Mapping[str, float | int | None]) -> None:
    """Write `figures.json` into an output; None stands where a figure could not be had."""
    write_json(out / NAME, dict(values))


def plot(out: Path, name: str, rows: Sequence[Point]) -> None:
    """Write `plots/<name>.csv`, a column for each key of the first row; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(out / PLOTS / f"{name}.csv", text.getvalue().encode())


def thinned(rows: Sequence[Point], by: str) -> list[Point]:
    """At most `POINTS` rows: means over equal stretches, each with the last value of column `by`.

    A mean is over the values that are there.
    """
    stretch = -(-len(rows) // POINTS) or 1
    return [_mean(rows[at : at + stretch], by) for at in range(0, len(rows), stretch)]


def _mean(rows: Sequence[Point], by: str) -> Point:
    found: dict[str, float | int | str | None] = {}
    for name, last in rows[-1].items():
        known = [value for row in rows if isinstance(value := row[name], int | float)]
        mean = sum(known) / len(known) if known else None
        found[name] = last if name == by or len(rows) == 1 else mean
    return found
