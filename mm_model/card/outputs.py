"""What the data stages published, as a card reads it: their accounts, and columns of their tables.

No column is held longer than it is looked at, and no row is read that is not shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.records import Counts, Status
from mm_model.rows import Row
from mm_model.store import digests, manifest, tables
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

STAGES = ("sources", "ingest", "faces", "pairs")
"""The stages that make a dataset, in their order."""

_TABLES = {
    "sources": "inventory.parquet",
    "ingest": "samples.parquet",
    "faces": "samples.parquet",
    "pairs": "pairs.parquet",
}


@dataclass(frozen=True, eq=False)
class DataOutput:
    """One stage's published output; `problem` says in a sentence why there is none to read."""

    stage: str
    folder: Path
    sealed: manifest.Manifest | None
    problem: str | None = None

    @property
    def there(self) -> bool:
        """Whether it can be read."""
        return self.problem is None

    @property
    def table(self) -> Path:
        """The table with a row for each sample or pair."""
        return self.folder / _TABLES[self.stage]

    def columns(self, *names: str) -> "pa.Table":
        """Those of the columns that the table has."""
        return tables.columns(self.table, names)

    def rows(self, places: Sequence[int], *names: str) -> list[Row]:
        """The rows at `places`, of those columns."""
        return tables.taken(self.table, places, names)

    @cached_property
    def counts(self) -> Counts:
        """The account as the table itself has it.

        Raises:
            ValueError: a row has a status that there is not.
        """
        found = self.columns("status", "reason")
        pairs = found.group_by(["status", "reason"]).aggregate([([], "count_all")]).to_pylist()
        tally: dict[str, dict[str, int]] = {str(status): {} for status in Status}
        for row in pairs:
            if row["status"] not in tally:
                raise ValueError(f"{row['count_all']} rows have the status {row['status']}")
            by_reason = tally[row["status"]]
            reason = str(row["reason"])
            by_reason[reason] = by_reason.get(reason, 0) + row["count_all"]
        return Counts(
            found.num_rows,
            kept=sum(tally[Status.KEPT].values()),
            rejected=dict(sorted(tally[Status.REJECTED].items())),
            failed=dict(sorted(tally[Status.FAILED].items())),
        )


def numbers(table: "pa.Table", name: str) -> "np.ndarray":
    """A column as float64 [rows]; NaN where it has no value, or where there is no such column."""
    import numpy as np

    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return table[name].cast("float64").to_numpy()


def equal(table: "pa.Table", name: str, value: str) -> "np.ndarray":
    """Where a column of texts holds `value`, bool [rows]."""
    import numpy as np
    import pyarrow.compute as pc

    if name not in table.column_names:
        return np.zeros(table.num_rows, bool)
    found = pc.fill_null(pc.equal(table[name], value), False)
    return found.to_numpy().astype(bool)


def every(table: "pa.Table", name: str) -> bool:
    """Whether a column of flags is set in every row, and there is a row."""
    import pyarrow.compute as pc

    if name not in table.column_names or not table.num_rows:
        return False
    return bool(pc.all(pc.fill_null(table[name], False)).as_py())


def tally(table: "pa.Table", name: str) -> dict[str | None, int]:
    """How often each text stands in a column, the commonest first."""
    if name not in table.column_names:
        return {}
    found = {row["values"]: row["counts"] for row in table[name].value_counts().to_pylist()}
    return dict(sorted(found.items(), key=lambda one: (-one[1], str(one[0]))))


def published(layout: Layout) -> dict[str, DataOutput]:
    """Every data stage's output, there or not."""
    return {stage: _output(layout, stage) for stage in STAGES}


def _output(layout: Layout, stage: str) -> DataOutput:
    folder = layout.output(stage)
    if not (folder / manifest.NAME).is_file():
        return DataOutput(stage, folder, None, "has not run")
    try:
        found = DataOutput(stage, folder, manifest.read(folder))
        _ = found.counts
    except (UserError, ValueError) as error:
        return DataOutput(stage, folder, None, f"cannot be read: {error}")
    return found


def version(outputs: Mapping[str, DataOutput]) -> str:
    """The name of the dataset's content: over the manifests of the stages that have run."""
    sealed = {name: one.sealed.digest for name, one in outputs.items() if one.sealed}
    return digests.of_value(sealed)[:12]


def doubts(outputs: Mapping[str, DataOutput]) -> list[str]:
    """Sentences on accounts that do not add up; none where all do."""
    said = []
    for name, one in outputs.items():
        if one.sealed is None:
            continue
        report, found = one.sealed.report, one.counts
        told = {key: report.get(key) for key in ("total", "kept", "rejected", "failed")}
        if told != {
            "total": found.total,
            "kept": found.kept,
            "rejected": dict(found.rejected),
            "failed": dict(found.failed),
        }:
            said.append(
                f"Stage {name} reports '{report.get('line')}', its table holds '{found.line()}'."
            )
    said += _between(outputs, "ingest", "sources", "files", lambda counts: counts.total)
    said += _between(outputs, "faces", "ingest", "kept files", lambda counts: counts.kept)
    return said


def _between(
    outputs: Mapping[str, DataOutput],
    stage: str,
    before: str,
    what: str,
    given: Callable[[Counts], int],
) -> list[str]:
    later, earlier = outputs[stage], outputs[before]
    if not (later.there and earlier.there):
        return []
    took, gave = later.counts.total, given(earlier.counts)
    if took == gave:
        return []
    return [f"Stage {stage} took {took} samples, and {before} has {gave} {what}."]
