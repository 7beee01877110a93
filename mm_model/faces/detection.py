"""Faces found in every sample: by several workers, shard by shard, and a second look at a few.

What an earlier run saw in a sample is taken from the cache of measurements, and the rules are asked
anew. A sample that takes its worker down is a failed row, never an end.
"""

from collections.abc import Sequence

from mm_model.errors import UserError
from mm_model.facepack.port import FacePack, attributes_of
from mm_model.faces.prescreen import tried
from mm_model.faces.report import on_one_file
from mm_model.faces.row import TRACK_FIELDS, SampleTask, tracks_of
from mm_model.faces.workers import Workers
from mm_model.records import Reason
from mm_model.rows import Row
from mm_model.run.measuring import Measuring
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job
from mm_model.store import digests, manifest, measured, shards

SHARD = 64
"""Samples a shard: what a kill can cost (a few seconds of work)."""
_FRAMES_WORTH_A_PROCESS = 400


def examined(job: Job, samples: list[Row]) -> tuple[list[Row], Row]:
    """One row per sample with measurements, decision, track and embeddings; and the pack."""
    from mm_model.faces.row import row_of
    from mm_model.faces.workers import opened

    rules = job.profile.faces
    tasks = {sample["sample_id"]: task_of(job, sample) for sample in samples}
    with (
        opened(job.model("facepack"), rules.detection_size, job.profile.run.threads) as workers,
        measured.opened(job.layout.measured(job.stage.name)) as cache,
    ):
        _can_tell(workers.pack, job)
        keys = keys_of(job, samples, tasks, workers.pack)
        new = cache.absent(keys.values())
        frames = sum(
            min(task.num_frames, rules.frames_examined or task.num_frames)
            for name, task in tasks.items()
            if keys[name] in new
        )
        workers = workers if frames >= _FRAMES_WORTH_A_PROCESS else workers.here()
        look = _Look(job, workers, cache, tasks, keys)
        records = shards.in_shards(
            job.work / "examined",
            list(tasks),
            SHARD,
            look,
            label="[faces] look",
            origin=job.fingerprint,
        )
        description = workers.pack.describe()
    if look.taken:
        job.say(f"{look.taken} of {len(tasks)} samples were measured before")
    rows = [row_of(task, record) for task, record in zip(tasks.values(), records, strict=True)]
    for sample, row in zip(samples, rows, strict=True):
        row |= {name: sample[name] for name in ("name", "media")}
        row["num_frames"] = tasks[sample["sample_id"]].num_frames
    return rows, description


def keys_of(
    job: Job, samples: Sequence[Row], tasks: dict[str, SampleTask], pack: FacePack
) -> dict[str, str]:
    """Sample id to the key of what is measured of it by that pack."""
    known = manifest.read(job.inputs["ingest"]).files
    attributes = attributes_of(pack)
    weights = [pack.digest, attributes.digest if attributes else None]
    measuring = Measuring(("faces/row.py",), weights)
    keys = {}
    for sample in samples:
        task = tasks[sample["sample_id"]]
        content = known.get(sample["file"]) or digests.of_file(task.path)
        keys[task.sample_id] = measuring.key(content, task.looks_as())
    return keys


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
        tasks: dict[str, SampleTask],
        keys: dict[str, str],
    ) -> None:
        self._rules, self._workers, self._cache = job.profile.faces, workers, cache
        self._tasks, self._keys = tasks, keys
        self.taken = 0

    def __call__(self, names: Sequence[str]) -> list[Row]:
        from mm_model.faces.row import failed, measure, serves
        from mm_model.faces.workers import DIED

        known = self._cache.known(self._keys[name] for name in names)
        records = {
            name: known[self._keys[name]]
            for name in names
            if self._keys[name] in known and serves(known[self._keys[name]], self._rules)
        }
        self.taken += len(records)
        others = [name for name in names if name not in records]
        results = self._workers.run(measure, [self._tasks[name] for name in others])
        for name, result in zip(others, results, strict=True):
            died = isinstance(result, Crashed)
            records[name] = (
                failed(self._tasks[name], Reason.SYS_WORKER_CRASH, DIED) if died else result
            )
        self._cache.keep(
            {self._keys[name]: records[name] for name in others if "seen" in records[name]}
        )
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
