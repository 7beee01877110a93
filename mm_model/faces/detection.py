"""Faces found in every sample: by several workers, shard by shard, and a second look at a few.

A sample that takes its worker down is a failed row, never an end. Decides nothing but that.
"""

from collections.abc import Sequence

from mm_model.faces.report import on_one_file
from mm_model.faces.row import TRACK_FIELDS, Task, tracks_of
from mm_model.records import Reason
from mm_model.rows import Row
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job
from mm_model.store import shards

SHARD = 64
"""Samples a shard: what a kill can cost (a few seconds of work)."""
_FRAMES_WORTH_A_PROCESS = 400


def examined(job: Job, samples: list[Row]) -> tuple[list[Row], Row]:
    """One row per sample with measurements, decision, track and embeddings; and the pack."""
    from mm_model.faces.row import failed, look
    from mm_model.faces.workers import DIED, opened

    rules = job.profile.faces
    tasks = {sample["sample_id"]: task_of(job, sample) for sample in samples}
    frames = sum(min(t.num_frames, rules.frames_examined or t.num_frames) for t in tasks.values())
    processes = job.profile.run.threads if frames >= _FRAMES_WORTH_A_PROCESS else 1
    with opened(job.model("facepack"), rules.detection_size, processes) as workers:

        def look_at(names: Sequence[str]) -> list[Row]:
            part = [tasks[name] for name in names]
            return [
                failed(task, Reason.SYS_WORKER_CRASH, DIED)
                if isinstance(result, Crashed)
                else result
                for task, result in zip(part, workers.run(look, part), strict=True)
            ]

        rows = shards.in_shards(
            job.work / "examined",
            list(tasks),
            SHARD,
            look_at,
            label="[faces] look",
            origin=job.fingerprint,
        )
        description = workers.pack.describe()
    for sample, row in zip(samples, rows, strict=True):
        row |= {name: sample[name] for name in ("name", "media")}
        row["num_frames"] = tasks[sample["sample_id"]].num_frames
    return rows, description


def task_of(job: Job, sample: Row) -> Task:
    """A kept sample of `ingest` as a worker is asked for it."""
    return Task(
        sample["sample_id"],
        path=job.inputs["ingest"] / sample["file"],
        media=sample["media"],
        num_frames=int(sample["num_frames"] or 1),
        width=int(sample["width"]),
        height=int(sample["height"]),
        rules=job.profile.faces,
    )


def look_again_at_the_doubtful(job: Job, kept: list[tuple[Row, Row]]) -> None:
    """Look a second time at people who are held out on the word of one file: few, and it matters.

    Procedural people need none.
    """
    from mm_model.facepack.port import face_of
    from mm_model.faces.doubt import SecondLook, look_again
    from mm_model.faces.workers import opened

    chosen = on_one_file(kept)
    if not chosen:
        return
    orders = []
    for sample, row in chosen:
        track = tracks_of(row)
        entry = dict(zip(TRACK_FIELDS, track[len(track) // 2].tolist(), strict=True))
        orders.append(
            SecondLook(task_of(job, sample), int(entry["frame"]), entry["pad"], face_of(entry))
        )
    size = job.profile.faces.detection_size
    with opened(job.model("facepack"), size, 1) as workers:
        for (_, row), found in zip(chosen, workers.run(look_again, orders), strict=True):
            row |= found
