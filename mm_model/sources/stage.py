"""Stage `sources`: the inventory of raw files, whatever kind of source they come from.

takes  what `sources` of params.yaml names
gives  inventory.parquet (a row a file), captions.json; files/ of items without a file of their own
Lists, digests and reads captions; opens no picture. Real people need a consent record; procedural
people are drawn here, carry their own mark and need none.
"""

from mm_model.records import SOURCES_COLUMNS
from mm_model.run.stage import Job, Report, Stage
from mm_model.sources.account import Account
from mm_model.sources.inventory import Captions, inventory
from mm_model.sources.port import Source
from mm_model.sources.table import open_source
from mm_model.store import atomic, tables

_TYPES = {"bytes": "count", "synthetic": "flag", **tables.DECISION_TYPES}


def run(job: Job) -> Report:
    """Write `inventory.parquet` (one row a file) and `captions.json` (source_id to caption).

    A row stands for what could not be looked into as well: a folder without permission, a link
    that leads nowhere.

    Raises:
        UserError: no consent record, nothing found, or a recipe that cannot be met.
    """
    source, account = open_source(job.model("sources"), job), Account()
    captions: Captions = {}
    rows = account.of(inventory(job, source, captions))
    tables.write(job.out / "inventory.parquet", rows, SOURCES_COLUMNS, _TYPES)
    atomic.write_json(job.out / "captions.json", captions)
    return _report(account, source)


def _report(account: Account, source: Source) -> Report:
    remarks, notes = source.remarks(), []
    if not account.files:
        notes.append("the folder holds no photographs or clips")
    if account.uncovered:
        notes.append(f"the consent record leaves out {account.uncovered} of {account.files} files")
    notes += remarks.notes
    notes += account.lines()
    if not source.synthetic:
        notes.append("no age weights: that everyone shown is an adult rests on the consent record")
    metrics = {
        "sources": len(account.sources),
        "files": account.files,
        "bytes": account.bytes,
        "subjects": len(account.subjects - {None}),
        "synthetic": source.synthetic,
        "without_consent": account.uncovered,
        "without_licence": account.unlicensed,
        "age_gate": "synthetic" if source.synthetic else "unavailable",
        "caption_files_unused": remarks.captions_unused,
    }
    return Report(account.counts(), metrics, (), tuple(notes))


STAGE = Stage(
    name="sources",
    title="Raw files and their consent",
    version=5,
    takes=(),
    sections=("sources",),
    models=("sources",),
    run=run,
)
