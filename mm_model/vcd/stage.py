"""Stage `subject`: the tokens of one listed subject, learned from its photographs.

Reads the subject's folder (`photos/`, and `masks/` where there are some), what subjects are learned
on, the face pack, and the networks that find the subject where the list names some. Writes what
`learn-subject` writes, with `photographs.parquet` (a row for each picture that was there, with the
reason where it was left out) and `steps.parquet`. Its sheet of photographs is no picture of its
report, which Dagster would keep in its books.
"""

from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.records import LEFT_OUT, SUBJECT_PHOTO_COLUMNS, SUBJECT_STEP_COLUMNS, Counts, Status
from mm_model.run.stage import Job, Report, Stage
from mm_model.run.stages import SUBJECT
from mm_model.settings.listed import NAME as LIST
from mm_model.settings.listed import NETWORKS
from mm_model.store import tables

if TYPE_CHECKING:
    from mm_model.vcd.keep import LearningOrder
    from mm_model.vcd.photos import PhotoSet

PHOTOS, MASKS = "photos", "masks"


def run(job: Job) -> Report:
    """Learn the subject and write it with its tables.

    Raises:
        UserError: no photograph can be used, a person's consent is missing, or learning failed.
    """
    from mm_model.vcd import given, keep, photos

    name, kind = job.stage.name.partition("@")[2], job.stage.told["kind"]
    folder = job.model("folder")
    if not (folder / PHOTOS).is_dir():
        raise UserError(
            f"{folder} holds no folder {PHOTOS} ({LIST}: {name}: folder): put photographs there."
        )
    consent, covered = given.consent_of(kind, folder / PHOTOS, None, job.layout.root)
    networks = {name: job.model(name) for name in NETWORKS if name in job.stage.given}
    how = given.listed_finding(job.stage.told, folder / MASKS, networks)
    segmenter = given.finder_of(kind, how, job.model("facepack"), job.profile)
    found = photos.read(folder / PHOTOS, segmenter, covered)
    order = keep.LearningOrder(
        name,
        kind,
        job.stage.told["word"],
        weights=job.model("subject_base"),
        called=job.stage.place("subject_base", job.params),
        masks=segmenter.name,
        consent=consent,
    )
    losses = _learned(job, order, found)
    _tables(job, found, losses)
    number = len(found.names) + len(found.left_out)
    rejected = {LEFT_OUT: len(found.left_out)} if found.left_out else {}
    return Report(
        Counts(number, len(found.names), rejected),
        metrics={"first loss": losses[0], "last loss": losses[-1], "masks": segmenter.name},
        notes=tuple(found.notes(segmenter.name, f"{MASKS}/")),
    )


def _learned(job: Job, order: "LearningOrder", found: "PhotoSet") -> list[float]:
    from mm_model.progress import Steps
    from mm_model.vcd import bases, keep

    def heard(step: int, loss: float) -> None:
        job.tracker.log({"loss": loss}, step)

    with Steps(f"[{job.stage.name}] learning") as steps:
        told = keep.Listeners(job.say, steps.told, heard)
        work = job.work / "checkpoints"
        opened = bases.open_base(order.weights, job.profile)
        record = keep.learned_into(
            job.out, order, found, job.profile, opened=opened, work=work, told=told
        )
    losses: list[float] = record["losses"]
    return losses


def _tables(job: Job, found: "PhotoSet", losses: list[float]) -> None:
    kept = zip(found.names, found.sha256, found.photos, strict=True)
    rows: list[dict[str, object]] = [
        {"name": n, "sha256": d, "status": Status.KEPT, "mask_share": float(p.mask.mean())}
        for n, d, p in kept
    ]
    rows += [
        {"name": n, "status": Status.REJECTED, "reason": LEFT_OUT, "why": why}
        for n, why in found.left_out.items()
    ]
    tables.write(
        job.out / "photographs.parquet",
        rows,
        SUBJECT_PHOTO_COLUMNS,
        {"mask_share": "number"},
    )
    curve = [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)]
    types = {"step": "count", "loss": "number"}
    tables.write(job.out / "steps.parquet", curve, SUBJECT_STEP_COLUMNS, types)


STAGE = Stage(
    name=SUBJECT,
    title="Subjects: tokens of each that is listed",
    version=1,
    takes=(),
    sections=("run", "faces", "subject"),
    models=("facepack",),
    run=run,
)
