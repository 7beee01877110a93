"""Stage `ingest`: which raw files are usable photographs and clips, each checked in full.

takes  sources
gives  samples.parquet (a row a file), files/, sheet.jpg, captioners.json where a model captioned
Decides on files and pixels, never on faces. Untrusted bytes are decoded in child processes only;
kept files are copied byte for byte under names made from their content.
"""

import json

from mm_model.decisions import ingest as filters
from mm_model.decisions.port import types
from mm_model.ingest import captioning, files, sandbox
from mm_model.ingest.known import Checks
from mm_model.ingest.report import report
from mm_model.media.looks import WantedLooks
from mm_model.records import INGEST_COLUMNS
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import measured, tables
from mm_model.store.shards import in_shards

_SHARD_SIZE = 64
_TYPES = {
    "synthetic": "flag",
    "width": "count",
    "height": "count",
    "num_frames": "count",
    "fps": "number",
    **types(filters.MEASURES),
    **tables.DECISION_TYPES,
}


def run(job: Job) -> Report:
    """Write `samples.parquet` (one row for each inventory row), `files/` and `sheet.jpg`.

    Raises:
        UserError: the caption template cannot be used with the backbone's tokenizer, a captioner
            cannot be opened, or a package that a filter takes is not installed.
    """
    inventory = tables.records(job.inputs["sources"] / "inventory.parquet")
    captions = json.loads((job.inputs["sources"] / "captions.json").read_text())
    items = files.planned(inventory)
    rules = job.profile.ingest
    captions_of = captioning.opened(job)
    allowance = sandbox.Allowance(
        rules.decode_seconds,
        rules.decode_memory_mb,
        rules.max_pixels,
        rules.max_frames,
        rules.max_aspect,
    )
    looks = WantedLooks(
        rules.text_second_look, rules.nsfw_above is not None, rules.quality_above is not None
    )
    with (
        sandbox.opened(allowance, job.profile.run.threads, looks) as examiner,
        measured.opened(job.layout.measured(job.stage.name)) as cache,
    ):
        checks = Checks(examiner, looks, cache, job.layout.root)
        checked = in_shards(
            job.work / "shards",
            items,
            _SHARD_SIZE,
            checks,
            label=f"[{job.stage.name}] checking files",
            origin=job.fingerprint,
        )
    if checks.taken:
        job.say(f"{checks.taken} of {len(items)} files were checked before")
    rows = [files.decided(item, found, rules) for item, found in zip(items, checked, strict=True)]
    files.refuse_equal_pixels(rows)
    files.refuse_alike(rows, rules.alike_within)
    (job.out / "files").mkdir()
    for row, item in zip(rows, items, strict=True):
        files.copy(row, item, job)
    captions_of.fill(rows, captions)
    tables.write(job.out / "samples.parquet", rows, INGEST_COLUMNS, _TYPES)
    return report(job, rows, checked, looks)


STAGE = Stage(
    name="ingest",
    title="Usable photographs and clips",
    version=7,
    takes=("sources",),
    sections=("ingest",),
    models=("backbone", "captioners"),
    run=run,
)
