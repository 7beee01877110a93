"""Whether a stage accounts for all that went in: one row each, and the report tells those rows.

`in = kept + rejected + failed` holds of any tally by itself; here it is held to the stage before.
"""

from collections.abc import Mapping
from pathlib import Path

from mm_model.errors import AuditError
from mm_model.records import Counts, Status
from mm_model.store import tables

_TABLES = {
    "sources": "inventory.parquet",
    "ingest": "samples.parquet",
    "faces": "samples.parquet",
    "pairs": "pairs.parquet",
    "subject": "photographs.parquet",
}
_BEFORE = {"ingest": ("sources", False), "faces": ("ingest", True)}
"""Stage to the one whose rows it must account for: all of them, or the kept alone."""


def require_account(stage: str, folder: Path, counts: Counts, inputs: Mapping[str, Path]) -> None:
    """Return if the table in `folder` has a row for each of what went in, told by `counts`.

    Raises:
        AuditError: rows are missing or too many, or the report tells others.
    """
    table = _TABLES.get(stage.partition("@")[0])
    if table is None:
        return
    found = _tally(folder / table)
    told = {
        str(Status.KEPT): counts.kept,
        str(Status.REJECTED): sum(counts.rejected.values()),
        str(Status.FAILED): sum(counts.failed.values()),
    }
    _same(stage, sum(found.values()), "are told", counts.total)
    for status, number in told.items():
        _same(stage, found.get(status, 0), f"are told as {status}", number, f" {status}")
    if stage in _BEFORE:
        name, kept_alone = _BEFORE[stage]
        before = _tally(inputs[name] / _TABLES[name])
        given = before.get(Status.KEPT, 0) if kept_alone else sum(before.values())
        _same(stage, counts.total, f"came from stage {name}", given)


def _same(stage: str, rows: int, what: str, number: int, which: str = "") -> None:
    if rows != number:
        raise AuditError(
            f"Stage '{stage}' does not account for its input: {rows}{which} rows, and {number} "
            f"{what}; nothing was published: run it again (python -m mm_model run {stage})."
        )


def _tally(table: Path) -> dict[str, int]:
    """Rows by status."""
    import pyarrow.compute as pc

    counted = pc.value_counts(tables.columns(table, ("status",))["status"])
    return {entry["values"].as_py(): entry["counts"].as_py() for entry in counted}
