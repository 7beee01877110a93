"""The tables of the faces stage and its embeddings, from rows on which everything is settled."""

from array import array

import numpy as np

from mm_model.decisions import faces as filters
from mm_model.decisions.port import types
from mm_model.faces.row import TRACK_FIELDS, embeddings_of, tracks_of
from mm_model.records import FACES_COLUMNS, TRACKS_COLUMNS, Status
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.store import atomic, tables
from mm_model.store.held import HeldRows

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


def write(job: Job, rows: HeldRows, means: np.ndarray, description: Row) -> None:
    """`embeddings.safetensors` also holds the frames behind each mean, for the pairs of clips."""
    from safetensors.numpy import save

    number = 0
    for row in rows:
        if row["status"] == Status.KEPT:
            row["embedding_row"] = number
            number += 1
    table = ({name: row.get(name) for name in FACES_COLUMNS} for row in rows.whole())
    tables.write(job.out / "samples.parquet", table, FACES_COLUMNS, _TYPES)
    track = (
        {"sample_id": look["sample_id"], **dict(zip(TRACK_FIELDS, entry.tolist(), strict=True))}
        for look in rows.spill
        for entry in tracks_of(look)
    )
    track = (entry | {"frame": int(entry["frame"])} for entry in track)
    tables.write(job.out / "tracks.parquet", track, TRACKS_COLUMNS, _TRACK_TYPES)
    frames, vectors = array("q"), array("f")
    for look, row in zip(rows.spill, rows, strict=True):
        if row["status"] == Status.KEPT:
            for frame in look["embedded_frames"]:
                frames.extend((row["embedding_row"], frame))
            vectors.frombytes(embeddings_of(look).astype(np.float32).tobytes())
    content = {
        "embedding": means,
        "frame_embedding": np.array(vectors, np.float32).reshape(-1, means.shape[1]),
        "frame_row": np.array(frames, np.int64).reshape(-1, 2),
    }
    atomic.write_bytes(job.out / "embeddings.safetensors", save(content))
    atomic.write_json(job.out / "pack.json", description)
