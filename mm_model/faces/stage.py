"""Stage `faces`: which kept samples show one usable face, and whose.

Writes decisions, tracks and embeddings; no pixels beyond a contact sheet. The identity of a sample
is a cluster of embeddings or its folder, and a train sample that lies among held-out people is
rejected as a leak.
"""

from collections.abc import Sequence

import numpy as np

from mm_model.decisions import faces as filters
from mm_model.decisions.port import types
from mm_model.faces import identity as people
from mm_model.faces.report import Found, counts_of, metrics_of, notes_of, on_one_file
from mm_model.faces.row import TRACK_FIELDS, Task, embeddings_of, tracks_of
from mm_model.records import FACES_COLUMNS, TRACKS_COLUMNS, Reason, Status
from mm_model.rows import Row
from mm_model.run import views
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import atomic, shards, tables

SHARD = 64
"""Samples a shard: what a kill can cost (a few seconds of work)."""


_TYPES = (
    tables.DECISION_TYPES
    | {
        "num_frames": "count",
        "frames_examined": "count",
        "frames_found": "count",
        "embedding_row": "count",
    }
    | types((*filters.MEASURES, *filters.SECOND_LOOK))
)
_TRACK_TYPES = dict.fromkeys(TRACK_FIELDS, "number") | {"frame": "count"}
_FRAMES_WORTH_A_PROCESS = 400
_SHEET_KEPT, _SHEET_REJECTED = 40, 40
_SHEET_SIDE = 384  # what is held of a picture until the sheet is made


def run(job: Job) -> Report:
    """Examine every kept sample of `ingest`, tell people apart, split, write the tables."""
    samples = [
        row
        for row in tables.records(job.inputs["ingest"] / "samples.parquet")
        if row["status"] == Status.KEPT
    ]
    samples.sort(key=lambda sample: sample["sample_id"])
    rows, description = _examined(job, samples)
    kept = [
        (sample, row)
        for sample, row in zip(samples, rows, strict=True)
        if row["status"] == Status.KEPT
    ]
    means = np.array([people.mean_unit(embeddings_of(row)) for _, row in kept], np.float32)
    means = means.reshape(-1, description["width"])
    labels = _labels(job, [sample for sample, _ in kept], means)
    _assign(job, kept, labels)
    _look_again(job, kept)
    _write(job, rows, means[[row["status"] == Status.KEPT for _, row in kept]], description)
    views.attempt("contact sheet", lambda: _sheet(job, samples, rows), views.WITHOUT)
    pictures = ("sheet.jpg",) if (job.out / "sheet.jpg").is_file() else ()
    found = Found(rows, kept, labels, means)
    metrics = metrics_of(found, job.profile.faces)
    return Report(
        counts_of(rows), metrics, pictures, tuple(notes_of(found, metrics, job.profile.faces))
    )


def _examined(job: Job, samples: list[Row]) -> tuple[list[Row], Row]:
    """One row per sample with measurements, decision, track and embeddings; and the pack."""
    from mm_model.faces.row import failed, look
    from mm_model.faces.workers import DIED, opened

    rules = job.profile.faces
    tasks = {sample["sample_id"]: _task(job, sample) for sample in samples}
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


def _task(job: Job, sample: Row) -> Task:
    return Task(
        sample["sample_id"],
        path=job.inputs["ingest"] / sample["file"],
        media=sample["media"],
        num_frames=int(sample["num_frames"] or 1),
        width=int(sample["width"]),
        height=int(sample["height"]),
        rules=job.profile.faces,
    )


def _labels(job: Job, samples: list[Row], means: np.ndarray) -> np.ndarray:
    """Identity labels, int64 [N]; in `folders` mode a file without a folder stands alone."""
    rules = job.profile.faces
    if rules.identity == "clusters":
        return people.clusters(means, rules.cluster_above)
    return people.first_appearance(
        [sample["subject"] or f"/{sample['sample_id']}" for sample in samples]
    )


def _assign(job: Job, kept: list[tuple[Row, Row]], labels: np.ndarray) -> None:
    """Give each row `identity` and `split`; reject those that lie among people of the other side.

    What an identity's split is, the majority of its samples says where the source prescribes one
    (a tie is held out); see `split_identities` for the rest.
    """
    members: dict[str, list[tuple[Row, Row]]] = {}
    for label, pair in zip(labels, kept, strict=True):
        members.setdefault(f"id-{label + 1:04d}", []).append(pair)
    given = {
        name: people.majority_split([sample["split"] for sample, _ in group])
        for name, group in members.items()
    }
    by_folder = job.profile.faces.identity == "folders"
    keys = {
        name: (by_folder and group[0][0]["subject"]) or group[0][0]["sample_id"]
        for name, group in members.items()
    }
    split = people.split_identities(
        given, keys, job.profile.faces.held_out_share, job.profile.run.seed
    )
    for name, group in members.items():
        strangers = [row for sample, row in group if sample["split"] not in (None, split[name])]
        for _, row in group:
            row |= {"identity": name, "split": split[name]}
        for row in strangers:
            row |= {
                "status": str(Status.REJECTED),
                "reason": str(Reason.LEAK_TEST_IDENTITY),
                "reason_value": 1 - len(strangers) / len(group),
                "reason_threshold": 0.5,
                "message": f"its source says another split, but {name} is {split[name]} by "
                f"{len(group) - len(strangers)} of {len(group)} samples",
            }


def _look_again(job: Job, kept: list[tuple[Row, Row]]) -> None:
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
            SecondLook(_task(job, sample), int(entry["frame"]), entry["pad"], face_of(entry))
        )
    size = job.profile.faces.detection_size
    with opened(job.model("facepack"), size, 1) as workers:
        for (_, row), found in zip(chosen, workers.run(look_again, orders), strict=True):
            row |= found


def _write(job: Job, rows: list[Row], means: np.ndarray, description: Row) -> None:
    """`embeddings.safetensors` also holds the frames behind each mean, for the pairs of clips."""
    from safetensors.numpy import save

    kept = [row for row in rows if row["status"] == Status.KEPT]
    for place, row in enumerate(kept):
        row["embedding_row"] = place
    table = [{name: row.get(name) for name in FACES_COLUMNS} for row in rows]
    tables.write(job.out / "samples.parquet", table, FACES_COLUMNS, _TYPES)
    track = [
        {"sample_id": row["sample_id"], **dict(zip(TRACK_FIELDS, entry.tolist(), strict=True))}
        for row in rows
        for entry in tracks_of(row)
    ]
    track = [entry | {"frame": int(entry["frame"])} for entry in track]
    tables.write(job.out / "tracks.parquet", track, TRACKS_COLUMNS, _TRACK_TYPES)
    frames = [(row["embedding_row"], frame) for row in kept for frame in row["embedded_frames"]]
    content = {
        "embedding": means,
        "frame_embedding": np.concatenate([means[:0], *(embeddings_of(row) for row in kept)]),
        "frame_row": np.array(frames, np.int64).reshape(-1, 2),
    }
    atomic.write_bytes(job.out / "embeddings.safetensors", save(content))
    atomic.write_json(job.out / "pack.json", description)


def _sheet(job: Job, samples: list[Row], rows: list[Row]) -> None:
    """Some kept faces under their identities, then some rejected under their reasons."""
    from mm_model.faces.drawing import GREEN, RED
    from mm_model.faces.track import spread
    from mm_model.media.sheet import contact_sheet, jpeg_bytes

    images, labels = [], []
    for status, most, colour, caption in (
        (Status.KEPT, _SHEET_KEPT, GREEN, "identity"),
        (Status.REJECTED, _SHEET_REJECTED, RED, "reason"),
    ):
        group = [pair for pair in zip(samples, rows, strict=True) if pair[1]["status"] == status]
        for sample, row in (group[place] for place in spread(len(group), most)):
            image = _drawn(job, sample, row, colour)
            if image is not None:
                images.append(image)
                labels.append(row[caption])
    if images:
        atomic.write_bytes(job.out / "sheet.jpg", jpeg_bytes(contact_sheet(images, labels, 10)))


def _drawn(job: Job, sample: Row, row: Row, colour: tuple[int, int, int]) -> np.ndarray | None:
    """The middle frame of a sample's track, small, its face marked; None if it cannot be read."""
    from mm_model.facepack.detect import reduced
    from mm_model.facepack.port import face_of
    from mm_model.faces.drawing import marked
    from mm_model.faces.pictures import Pictures

    track = tracks_of(row)
    entry = dict(zip(TRACK_FIELDS, track[len(track) // 2], strict=True)) if len(track) else None
    frame = int(entry["frame"]) if entry else 0
    task = _task(job, sample)
    pictures = Pictures(task.path, task.media, task.num_frames, task.width, task.height)
    try:
        small, factor = reduced(next(image for _, image in pictures.at([frame])), _SHEET_SIDE)
    except Exception:  # it failed or was rejected above; the sheet does without it
        return None
    return marked(small, face_of(entry).enlarged(1 / factor) if entry else None, colour)


STAGE = Stage(
    name="faces",
    title="Faces: detection, tracks, identities",
    version=2,
    takes=("ingest",),
    sections=("run", "faces"),
    models=("facepack",),
    run=run,
)
