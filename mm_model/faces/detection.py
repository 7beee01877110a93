"""Faces found in every sample: by several workers, shard by shard, and a second look at a few.

What an earlier run saw in a sample is taken from the cache of measurements, and the rules are asked
anew. A sample that takes its worker down is a failed row, never an end.
"""

from array import array
from collections.abc import Sequence

import numpy as np

from mm_model.faces.identity import mean_unit
from mm_model.faces.report import on_one_file
from mm_model.faces.row import TRACK_FIELDS, SampleTask, tracks_of
from mm_model.faces.workers import Workers
from mm_model.records import DECISION_COLUMNS, Reason, Status
from mm_model.rows import Row
from mm_model.run.measuring import Measuring
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job
from mm_model.store import digests, manifest, measured, shards
from mm_model.store.spill import Spill

SHARD = 64
"""Samples a shard: what a kill can cost (a few seconds of work)."""
_FRAMES_WORTH_A_PROCESS = 400
_HELD = (
    "sample_id",
    "name",
    "frames_examined",
    "frames_found",
    "padded_share",
    "bystanders",
    "face_size",
    "sharpness",
    "detection_score",
    "embedding_norm",
    *DECISION_COLUMNS,
)
"""What the stage decides on and reports of a sample; all else waits on the disk."""


def examined(job: Job, samples: list[Row], looks: Spill) -> tuple[list[Row], np.ndarray, Row]:
    """One row per sample with what is decided on; the unit embeddings of the kept; and the pack.

    `looks` takes the whole rows, with measurements, track and embeddings; the place of each stands
    in its row here. Embeddings are float32 [kept, width].
    """
    from mm_model.faces.row import embeddings_of, row_of
    from mm_model.faces.workers import opened

    rules = job.profile.faces
    rows: list[Row] = []
    means = array("f")
    with (
        opened(job.model("facepack"), rules.detection_size, job.profile.run.threads) as workers,
        measured.opened(job.layout.measured(job.stage.name)) as cache,
    ):
        keys = _Keys(job, workers.pack.digest)
        new = _frames_to_look_at(keys, samples, cache, rules.frames_examined)
        workers = workers if new >= _FRAMES_WORTH_A_PROCESS else workers.here()
        look = _Look(job, workers, cache, samples, keys)
        records = shards.shard_by_shard(
            job.work / "examined",
            [sample["sample_id"] for sample in samples],
            SHARD,
            look,
            label="[faces] look",
            origin=job.fingerprint,
        )
        for sample, record in zip(samples, records, strict=True):
            task = task_of(job, sample)
            row = row_of(task, record) | {name: sample[name] for name in ("name", "media")}
            row["num_frames"] = task.num_frames
            rows.append({name: row[name] for name in _HELD} | {"place": len(looks)})
            looks.append(row)
            if row["status"] == Status.KEPT:
                means.frombytes(mean_unit(embeddings_of(row)).astype(np.float32).tobytes())
        description = workers.pack.describe()
    if look.taken:
        job.say(f"{look.taken} of {len(samples)} samples were measured before")
    return rows, np.array(means, np.float32).reshape(-1, description["width"]), description


class _Keys:
    """From a sample to the key of what is measured of it by the pack of that digest."""

    def __init__(self, job: Job, pack: str) -> None:
        self._job = job
        self._known = manifest.read(job.inputs["ingest"]).files
        self._measuring = Measuring(("faces/row.py",), pack)

    def of(self, sample: Row) -> str:
        task = task_of(self._job, sample)
        content = self._known.get(sample["file"]) or digests.of_file(task.path)
        return self._measuring.key(content, task.looks_as())


def _frames_to_look_at(
    keys: _Keys, samples: list[Row], cache: measured.MeasurementCache, most: int | None
) -> int:
    """How many frames nobody looked at before."""
    frames = 0
    for start in range(0, len(samples), SHARD):
        part = [(keys.of(sample), sample) for sample in samples[start : start + SHARD]]
        new = cache.absent(key for key, _ in part)
        for key, sample in part:
            number = int(sample["num_frames"] or 1)
            frames += min(number, most or number) if key in new else 0
    return frames


class _Look:
    """From names of samples to their records: those that are known, and the workers for others."""

    def __init__(
        self,
        job: Job,
        workers: Workers,
        cache: measured.MeasurementCache,
        samples: list[Row],
        keys: _Keys,
    ) -> None:
        self._job, self._workers, self._cache, self._keys = job, workers, cache, keys
        self._samples = {sample["sample_id"]: sample for sample in samples}
        self.taken = 0

    def __call__(self, names: Sequence[str]) -> list[Row]:
        from mm_model.faces.row import failed, measure, serves
        from mm_model.faces.workers import DIED

        keys = {name: self._keys.of(self._samples[name]) for name in names}
        known, rules = self._cache.known(keys.values()), self._job.profile.faces
        records = {
            name: known[keys[name]]
            for name in names
            if keys[name] in known and serves(known[keys[name]], rules)
        }
        self.taken += len(records)
        others = [name for name in names if name not in records]
        tasks = [task_of(self._job, self._samples[name]) for name in others]
        for task, result in zip(tasks, self._workers.run(measure, tasks), strict=True):
            died = isinstance(result, Crashed)
            records[task.sample_id] = (
                failed(task, Reason.SYS_WORKER_CRASH, DIED) if died else result
            )
        self._cache.keep({keys[name]: records[name] for name in others if "seen" in records[name]})
        return [records[name] for name in names]


def task_of(job: Job, sample: Row) -> SampleTask:
    """A kept sample of `ingest` as a worker is asked for it."""
    return SampleTask(
        sample["sample_id"],
        path=job.inputs["ingest"] / sample["file"],
        media=sample["media"],
        num_frames=int(sample["num_frames"] or 1),
        width=int(sample["width"]),
        height=int(sample["height"]),
        rules=job.profile.faces,
    )


def look_again_at_the_doubtful(job: Job, kept: list[tuple[Row, Row]], looks: Spill) -> None:
    """Look a second time at people who are held out on the word of one file: few, and it matters.

    Procedural people need none. `looks` has the tracks.
    """
    from mm_model.facepack.port import face_of
    from mm_model.faces.doubt import SecondLook, look_again
    from mm_model.faces.workers import opened

    chosen = on_one_file(kept)
    if not chosen:
        return
    orders = []
    for sample, row in chosen:
        track = tracks_of(looks[row["place"]])
        entry = dict(zip(TRACK_FIELDS, track[len(track) // 2].tolist(), strict=True))
        orders.append(
            SecondLook(task_of(job, sample), int(entry["frame"]), entry["pad"], face_of(entry))
        )
    size = job.profile.faces.detection_size
    with opened(job.model("facepack"), size, 1) as workers:
        for (_, row), found in zip(chosen, workers.run(look_again, orders), strict=True):
            row |= found
