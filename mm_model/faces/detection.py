"""Faces found in every sample: by several workers, shard by shard, and a second look at a few.

What an earlier run saw in a sample is taken from the cache of measurements, and the rules are asked
anew. A sample that takes its worker down is a failed row, never an end.
"""

import bisect
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.port import FacePack, attributes_of
from mm_model.faces.identity import mean_unit
from mm_model.faces.kept import Kept
from mm_model.faces.prescreen import tried
from mm_model.faces.report import on_one_file
from mm_model.faces.row import TRACK_FIELDS, SampleTask, tracks_of
from mm_model.faces.workers import Workers
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.run.measuring import Measuring
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job
from mm_model.store import digests, manifest, measured, shards
from mm_model.store.held import HeldRows
from mm_model.store.spill import Spills

SHARD = 64
"""Samples a shard: what a kill can cost (a few seconds of work)."""
_FRAMES_WORTH_A_PROCESS = 400
_HELD = {
    "identity": "text",
    "split": "text",
    "status": "text",
    "reason": "text",
    "message": "text",
    "reason_value": "number",
    "reason_threshold": "number",
    "embedding_row": "count",
    "bordered_score": "number",
    "bordered_cosine": "number",
    "frames_examined": "count",
    "frames_found": "count",
    "bystanders": "count",
    "padded_share": "number",
    "face_size": "number",
    "sharpness": "number",
    "detection_score": "number",
    "embedding_norm": "number",
}
"""What the stage decides on and reports of a sample; all else waits on the disk."""


def examined(job: Job, samples: HeldRows, spills: Spills) -> tuple[HeldRows, np.ndarray, Row]:
    """One row per sample with all that was seen; the unit embeddings of the kept; and the pack.

    Embeddings are float32 [kept, width]. `samples` stand in the order of their ids.
    """
    from mm_model.faces.row import embeddings_of, row_of
    from mm_model.faces.workers import opened

    rules = job.profile.faces
    rows = HeldRows(spills.rows("looks"), _HELD)
    means = array("f")
    with (
        opened(job.model("facepack"), rules.detection_size, job.profile.run.threads) as workers,
        measured.opened(job.layout.measured(job.stage.name)) as cache,
    ):
        _can_tell(workers.pack, job)
        keys = _Keys(job, workers.pack)
        new = _frames_to_look_at(keys, samples, cache, rules.frames_examined)
        workers = workers if new >= _FRAMES_WORTH_A_PROCESS else workers.here()
        names = _Names(samples)
        look = _Look(job, workers, cache, names, keys)
        records = shards.shard_by_shard(
            job.work / "examined",
            names,
            SHARD,
            look,
            label="[faces] look",
            origin=job.fingerprint,
        )
        for sample, record in zip(samples.spill, records, strict=True):
            task = task_of(job, sample)
            row = row_of(task, record) | {name: sample[name] for name in ("name", "media")}
            row["num_frames"] = task.num_frames
            rows.append(row)
            if row["status"] == Status.KEPT:
                means.frombytes(mean_unit(embeddings_of(row)).astype(np.float32).tobytes())
        description = workers.pack.describe()
    if look.taken:
        job.say(f"{look.taken} of {len(samples)} samples were measured before")
    return rows, np.array(means, np.float32).reshape(-1, description["width"]), description


class _Names(Sequence[str]):
    """The ids of `samples`, which stand in their order."""

    def __init__(self, samples: HeldRows) -> None:
        self.samples = samples.spill

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [sample["sample_id"] for sample in self.samples[place]]
        return str(self.samples[place]["sample_id"])

    def of(self, names: Sequence[str]) -> dict[str, Row]:
        """The samples of neighbouring names."""
        start = bisect.bisect_left(self, names[0])
        found = self.samples[start : start + len(names)]
        return {sample["sample_id"]: sample for sample in found}


class _Keys:
    """From a sample to the key of what is measured of it by that pack."""

    def __init__(self, job: Job, pack: FacePack) -> None:
        self._job = job
        self._known = manifest.read(job.inputs["ingest"]).files
        attributes = attributes_of(pack)
        weights = [pack.digest, attributes.digest if attributes else None]
        self._measuring = Measuring(("faces/row.py",), weights)

    def of(self, sample: Row) -> str:
        task = task_of(self._job, sample)
        content = self._known.get(sample["file"]) or digests.of_file(task.path)
        return self._measuring.key(content, task.looks_as())


def _frames_to_look_at(
    keys: _Keys, samples: HeldRows, cache: measured.MeasurementCache, most: int | None
) -> int:
    """How many frames nobody looked at before."""
    frames = 0
    for start in range(0, len(samples), SHARD):
        part = [(keys.of(sample), sample) for sample in samples.spill[start : start + SHARD]]
        new = cache.absent(key for key, _ in part)
        for key, sample in part:
            number = int(sample["num_frames"] or 1)
            frames += min(number, most or number) if key in new else 0
    return frames


def _can_tell(pack: FacePack, job: Job) -> None:
    """Refuse a bound on what this pack cannot measure: nobody may pass it unasked."""
    if job.profile.faces.prescreen_size is not None:
        tried(pack, job.profile.faces.prescreen_size)
    if job.profile.faces.min_age is not None and attributes_of(pack) is None:
        raise UserError(
            f"faces.min_age is {job.profile.faces.min_age:g}, and the face pack "
            f"{job.params.facepack} holds no genderage model that tells ages: use an InsightFace "
            "pack with genderage.onnx (params.yaml: facepack), or set faces.min_age to null."
        )


class _Look:
    """From names of samples to their records: those that are known, and the workers for others."""

    def __init__(
        self,
        job: Job,
        workers: Workers,
        cache: measured.MeasurementCache,
        names: _Names,
        keys: _Keys,
    ) -> None:
        self._job, self._workers, self._cache, self._keys = job, workers, cache, keys
        self._names = names
        self.taken = 0

    def __call__(self, names: Sequence[str]) -> list[Row]:
        from mm_model.faces.row import failed, measure, serves
        from mm_model.faces.workers import DIED

        samples = self._names.of(names)
        keys = {name: self._keys.of(samples[name]) for name in names}
        known, rules = self._cache.known(keys.values()), self._job.profile.faces
        records = {
            name: known[keys[name]]
            for name in names
            if keys[name] in known and serves(known[keys[name]], rules)
        }
        self.taken += len(records)
        others = [name for name in names if name not in records]
        tasks = [task_of(self._job, samples[name]) for name in others]
        for task, result in zip(tasks, self._workers.run(measure, tasks), strict=True):
            died = isinstance(result, Crashed)
            records[task.sample_id] = (
                failed(task, Reason.SYS_WORKER_CRASH, DIED) if died else result
            )
        self._cache.keep({keys[name]: records[name] for name in others if "seen" in records[name]})
        return [records[name] for name in names]


def task_of(job: Job, sample: Mapping[str, Any]) -> SampleTask:
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


def look_again_at_the_doubtful(job: Job, kept: Kept) -> None:
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
            row.update(found)
