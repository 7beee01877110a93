"""Stage `ingest`: which raw files are usable photographs and clips, each checked in full.

takes  sources
gives  samples.parquet (a row a file), files/, sheet.jpg, captioners.json where a model captioned,
       classifiers.json where one looked for watermarks
Decides on files and pixels, never on faces. Untrusted bytes are decoded in child processes only;
kept files are copied byte for byte under names made from their content.
"""

from mm_model.decisions import ingest as filters
from mm_model.decisions.port import types
from mm_model.ingest import captioning, files, known, watermark
from mm_model.ingest.compared import CopySearch
from mm_model.ingest.report import IngestTally
from mm_model.media.looks import WantedLooks
from mm_model.records import INGEST_COLUMNS
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import documents, spill, tables

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
            or classifier cannot be opened, or a package that a filter takes is not installed.
    """
    rules = job.profile.ingest
    captions_of = captioning.opened(job)
    classifier = watermark.opened(job)
    looks = WantedLooks(
        rules.text_second_look,
        rules.nsfw_above is not None,
        rules.quality_above is not None,
        views=classifier is not None,
    )
    with spill.opened(job.work / "rows") as spills:
        items = files.planned(job.inputs["sources"] / "inventory.parquet", spills)
        compared, thumbnails = CopySearch(rules.alike_within), dict[int, str]()
        decided = spills.rows("decided")
        checked = known.checked(job, items, looks, classifier)
        for place, (item, found) in enumerate(zip(items, checked, strict=True)):
            row = files.decided(item, found, rules)
            compared.see(row)
            decided.append(row)
            if thumbnail := found.get("facts", {}).get("thumbnail"):
                thumbnails[place] = thumbnail
        refusals = compared.settle(lambda place: items[place]["name"])
        del compared
        (job.out / "files").mkdir()
        copied = spills.rows("copied")
        for place, (row, item) in enumerate(zip(decided, items, strict=True)):
            row = refusals.applied(place, row)
            files.copy(row, item, job)
            copied.append(row)
        captions = spills.by_key("captions")
        for source, given in documents.entries(job.inputs["sources"] / "captions.json"):
            captions.put(source, given)
        watermark.record(job, classifier)
        tally = IngestTally(looks, thumbnails)
        rows = tally.of(captions_of.filled(copied, captions, spills))
        tables.write(job.out / "samples.parquet", rows, INGEST_COLUMNS, _TYPES)
    return tally.report(job)


STAGE = Stage(
    name="ingest",
    title="Usable photographs and clips",
    version=8,
    takes=("sources",),
    sections=("ingest",),
    models=("backbone", "captioners", "classifiers"),
    run=run,
)
