"""Stage `faces`: which kept samples show one usable face, and whose.

takes  ingest
gives  samples.parquet, tracks.parquet, embeddings.safetensors, pack.json, sheet.jpg
No pixels leave it beyond a contact sheet. The identity of a sample
is a cluster of embeddings or its folder, and a train sample that lies among held-out people is
rejected as a leak.
"""

from pathlib import Path

import numpy as np

from mm_model.faces import redundant, sheet, splits, write
from mm_model.faces.detection import examined, look_again_at_the_doubtful
from mm_model.faces.kept import Kept
from mm_model.faces.report import FacesOutcome, counts_of, metrics_of, notes_of
from mm_model.records import Status
from mm_model.run import views
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import spill, tables
from mm_model.store.held import HeldRows

_HELD = {"subject": "text", "split": "text", "synthetic": "count"}
_TAKEN = (
    "sample_id",
    "name",
    "subject",
    "split",
    "synthetic",
    "media",
    "file",
    "width",
    "height",
    "num_frames",
)


def run(job: Job) -> Report:
    """Examine every kept sample of `ingest`, tell people apart, split, write the tables."""
    rules = job.profile.faces
    with spill.opened(job.work / "rows") as spills:
        samples = _samples(job.inputs["ingest"] / "samples.parquet", spills)
        rows, means, description = examined(job, samples, spills)
        kept = Kept(samples, rows)
        labels = splits.labels(job, kept, means)
        splits.assign(job, kept, labels)
        doubles = redundant.settled([row for _, row in kept], means, rules)
        look_again_at_the_doubtful(job, kept)
        still = np.array([row["status"] == Status.KEPT for _, row in kept], bool)
        write.write(job, rows, means[still], description)
        views.attempt("contact sheet", lambda: sheet.sheet(job, samples, rows), views.WITHOUT)
        pictures = ("sheet.jpg",) if (job.out / "sheet.jpg").is_file() else ()
        found = FacesOutcome(rows, kept, labels, means, doubles)
        metrics = metrics_of(found, rules)
        return Report(counts_of(rows), metrics, pictures, tuple(notes_of(found, metrics, rules)))


def _samples(table: Path, spills: spill.Spills) -> HeldRows:
    """The kept rows of `ingest` in the order of their ids."""
    import pyarrow.compute as pc

    kept = {"status": Status.KEPT}
    given = spills.rows("given")
    for row in tables.rows(table, _TAKEN, where=kept):
        given.append(row)
    samples = HeldRows(spills.rows("samples"), _HELD)
    names = tables.columns_where(table, ["sample_id"], kept)["sample_id"]
    for place in pc.sort_indices(names).to_numpy():
        samples.append(given[int(place)])
    return samples


STAGE = Stage(
    name="faces",
    title="Faces: detection, tracks, identities",
    version=7,
    takes=("ingest",),
    sections=("run", "faces"),
    models=("facepack",),
    run=run,
)
