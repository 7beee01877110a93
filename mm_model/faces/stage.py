"""Stage `faces`: which kept samples show one usable face, and whose.

takes  ingest
gives  samples.parquet, tracks.parquet, embeddings.safetensors, pack.json, sheet.jpg
No pixels leave it beyond a contact sheet. The identity of a sample
is a cluster of embeddings or its folder, and a train sample that lies among held-out people is
rejected as a leak.
"""

from mm_model.faces import redundant, sheet, splits, write
from mm_model.faces.detection import examined, look_again_at_the_doubtful
from mm_model.faces.report import FacesOutcome, counts_of, metrics_of, notes_of
from mm_model.records import Status
from mm_model.run import views
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import spill, tables

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
    table = job.inputs["ingest"] / "samples.parquet"
    samples = list(tables.rows(table, _TAKEN, where={"status": Status.KEPT}))
    samples.sort(key=lambda sample: sample["sample_id"])
    with spill.opened(job.work / "rows") as spills:
        looks = spills.rows("looks")
        rows, means, description = examined(job, samples, looks)
        kept = [
            (sample, row)
            for sample, row in zip(samples, rows, strict=True)
            if row["status"] == Status.KEPT
        ]
        labels = splits.labels(job, [sample for sample, _ in kept], means)
        splits.assign(job, kept, labels)
        doubles = redundant.settled([row for _, row in kept], means, job.profile.faces)
        look_again_at_the_doubtful(job, kept, looks)
        still = means[[row["status"] == Status.KEPT for _, row in kept]]
        write.write(job, rows, looks, still, description)
        views.attempt(
            "contact sheet", lambda: sheet.sheet(job, samples, rows, looks), views.WITHOUT
        )
    pictures = ("sheet.jpg",) if (job.out / "sheet.jpg").is_file() else ()
    found = FacesOutcome(rows, kept, labels, means, doubles)
    metrics = metrics_of(found, job.profile.faces)
    return Report(
        counts_of(rows), metrics, pictures, tuple(notes_of(found, metrics, job.profile.faces))
    )


STAGE = Stage(
    name="faces",
    title="Faces: detection, tracks, identities",
    version=5,
    takes=("ingest",),
    sections=("run", "faces"),
    models=("facepack",),
    run=run,
)
