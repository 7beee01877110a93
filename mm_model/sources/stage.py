"""Stage `sources`: the inventory of raw files, whatever kind of source they come from.

takes  what `sources` of params.yaml names
gives  inventory.parquet (a row a file), captions.json; files/ of items without a file of their own
Lists, digests and reads captions; opens no picture. Real people need a consent record; procedural
people are drawn here, carry their own mark and need none.
"""

from collections import Counter

from mm_model.records import SOURCES_COLUMNS, Counts, Status
from mm_model.rows import Row
from mm_model.run.stage import Job, Report, Stage
from mm_model.sources.inventory import inventory
from mm_model.sources.port import Source
from mm_model.sources.table import open_source
from mm_model.store import atomic, tables

_MOST_LICENCES = 4
_TYPES = {"bytes": "count", "synthetic": "flag", **tables.DECISION_TYPES}


def run(job: Job) -> Report:
    """Write `inventory.parquet` (one row a file) and `captions.json` (source_id to caption).

    A row stands for what could not be looked into as well: a folder without permission, a link
    that leads nowhere.

    Raises:
        UserError: no consent record, nothing found, or a recipe that cannot be met.
    """
    source = open_source(job.model("sources"), job)
    rows, captions = inventory(job, source)
    tables.write(job.out / "inventory.parquet", rows, SOURCES_COLUMNS, _TYPES)
    atomic.write_json(job.out / "captions.json", captions)
    return _report(rows, source)


def _report(rows: list[Row], source: Source) -> Report:
    counts = Counts.of_rows([r["status"] for r in rows], [r.get("reason") for r in rows])
    uncovered = sum(row["consent"] is None for row in rows)
    remarks, notes = source.remarks(), []
    if not rows:
        notes.append("the folder holds no photographs or clips")
    if uncovered:
        notes.append(f"the consent record leaves out {uncovered} of {len(rows)} files")
    notes += remarks.notes
    notes += _lines(rows)
    if not source.synthetic:
        notes.append("no age weights: that everyone shown is an adult rests on the consent record")
    metrics = {
        "sources": len({row["source"] for row in rows}),
        "files": len(rows),
        "bytes": sum(row.get("bytes") or 0 for row in rows),
        "subjects": len({row["subject"] for row in rows} - {None}),
        "synthetic": source.synthetic,
        "without_consent": uncovered,
        "without_licence": sum(row["licence"] is None for row in rows),
        "age_gate": "synthetic" if source.synthetic else "unavailable",
        "caption_files_unused": remarks.captions_unused,
    }
    return Report(counts, metrics, (), tuple(notes))


def _lines(rows: list[Row]) -> list[str]:
    """A line a source: files, kept, licences. None where nothing is said of a licence at all."""
    if not any(row["source"] or row["licence"] for row in rows):
        return []
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row["source"] or "all", []).append(row)
    return [_line(name, of_one) for name, of_one in by_source.items()]


def _line(name: str, rows: list[Row]) -> str:
    kept = sum(row["status"] == Status.KEPT for row in rows)
    licences = Counter(row["licence"] or "unknown" for row in rows).most_common()
    said = ", ".join(f"{licence} ({number})" for licence, number in licences[:_MOST_LICENCES])
    more = f" and {len(licences) - _MOST_LICENCES} more" if len(licences) > _MOST_LICENCES else ""
    which = licences[0][0] if len(licences) == 1 else said + more
    return f"source {name}: {len(rows)} files, {kept} kept, licence {which}"


STAGE = Stage(
    name="sources",
    title="Raw files and their consent",
    version=5,
    takes=(),
    sections=("sources",),
    models=("sources",),
    run=run,
)
