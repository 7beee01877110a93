"""An examined sample as a record and as a row, both JSON-able.

The record holds what was seen, whatever is thought of it: shards of finished work and the cache of
measurements keep it. The row is the record under the rules: measurements, decision, track and
embeddings, all that the stage needs later.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.decisions.faces import MEASURES, FaceMeasurements, not_worth_a_look
from mm_model.decisions.port import Measure, names
from mm_model.facepack.port import Face, FacePack
from mm_model.faces.examine import LOOKING, Examined, decide, examine, under, unseen
from mm_model.faces.pictures import Pictures
from mm_model.media.failure import MESSAGE_LIMIT, MediaError
from mm_model.records import TRACKS_COLUMNS, Reason, Row, Status
from mm_model.settings import FacesSettings

TRACK_FIELDS = TRACKS_COLUMNS[1:]
"""What a track row holds beside the sample's id, in the order of the flat list `track`."""


@dataclass(frozen=True)
class SampleTask:
    """One sample to be looked at; picklable, so that another process can do it."""

    sample_id: str
    path: Path
    media: str
    num_frames: int
    width: int
    height: int
    rules: FacesSettings

    def looks_as(self) -> Row:
        """All that what is seen hangs on, but for the file's content, the pack and the code."""
        rules = {name: getattr(self.rules, name) for name in LOOKING}
        rules["compared"] = self.rules.track_cosine_min is not None
        return rules | {
            name: getattr(self, name) for name in ("media", "num_frames", "width", "height")
        }


def look(pack: FacePack, task: SampleTask) -> Row:
    """The row of one sample; a file that cannot be examined is `failed`, never an error."""
    return row_of(task, measure(pack, task))


def measure(pack: FacePack, task: SampleTask) -> Row:
    """The record of one sample, or the row of a failure."""
    pictures = Pictures(task.path, task.media, task.num_frames, task.width, task.height)
    try:
        examined = examine(pack, pictures, task.rules)
    except MediaError as error:
        return failed(task, Reason.SYS_IO, error.message)
    except Exception as error:
        # Whatever a library makes of this file, the others must not suffer for it.
        return failed(task, Reason.SYS_WORKER_CRASH, f"{type(error).__name__}: {error}")
    return _record(examined)


def failed(task: SampleTask, reason: Reason, message: str) -> Row:
    """The row of a sample that could not be examined."""
    return {
        "sample_id": task.sample_id,
        "frames_examined": 0,
        "frames_found": 0,
        **dict.fromkeys(names(MEASURES)),
        "status": str(Status.FAILED),
        "reason": str(reason),
        "reason_value": None,
        "reason_threshold": None,
        "message": " ".join(message.split())[:MESSAGE_LIMIT],
        "track": "",
        "embedded_frames": [],
        "embeddings": "",
    }


def _record(examined: Examined) -> Row:
    seen, vectors = asdict(examined.seen), examined.embeddings
    medians = {name: _number(value) for name, value in seen.pop("medians").items()}
    return {
        "seen": {
            name: _number(value) if isinstance(value, float) else value
            for name, value in seen.items()
        },
        "medians": medians,
        "numbers": examined.numbers,
        "embedding_norm": _number(examined.embedding_norm),
        "track": packed([_flat(*entry) for entry in examined.tracks], "<f8"),
        "embedded_frames": examined.frames,
        "embeddings": "" if vectors is None else packed(vectors, "<f4"),
    }


def serves(record: Row, rules: FacesSettings) -> bool:
    """Whether a record tells all that a look under `rules` would: of what it embeds, embeddings.

    One of a cheap look alone serves as long as that look's score spares the full one.
    """
    if _spared(record, rules):
        return True
    if not record["seen"]["examined"]:
        return False
    return bool(record["embeddings"]) or not _embeds(record, rules)


def _embeds(record: Row, rules: FacesSettings) -> bool:
    """Whether a look under `rules` embeds the sample (`examine`)."""
    if not record["track"] or _spared(record, rules):
        return False
    return rules.embed_rejected or decide(_before(record, rules), rules).status == Status.KEPT


def _spared(record: Row, rules: FacesSettings) -> bool:
    """Whether a look under `rules` is the cheap one alone."""
    score = record["seen"]["prescreen"]
    return not_worth_a_look(math.nan if score is None else score, rules)


def _before(record: Row, rules: FacesSettings) -> FaceMeasurements:
    """What was measured before anything was embedded."""
    if _spared(record, rules):
        return unseen(record["seen"]["prescreen"], record["seen"]["media"])
    seen, medians = _with_nan(record["seen"]), _with_nan(record["medians"])
    found = FaceMeasurements(**seen | {"track_cosine": math.nan}, medians=medians)
    return under(found, record["numbers"], rules.max_faces)


def _seen(record: Row, rules: FacesSettings) -> FaceMeasurements:
    """As a look under `rules` measures it, whatever rules the record was made under."""
    before, cosine = _before(record, rules), record["seen"]["track_cosine"]
    if cosine is None or not _embeds(record, rules):
        return before
    return replace(before, track_cosine=cosine)


def _with_nan(values: Row) -> Row:
    return {name: math.nan if value is None else value for name, value in values.items()}


def row_of(task: SampleTask, record: Row) -> Row:
    """The row of a sample from its record under the rules of `task`; that of a failure as it is."""
    if "seen" not in record:
        return dict(record)
    seen = _seen(record, task.rules)
    decision = decide(seen, task.rules)
    kept = decision.status == Status.KEPT
    return {
        "sample_id": task.sample_id,
        "frames_examined": seen.examined,
        "frames_found": seen.found,
        **{measure.name: _number(_value(measure, seen)) for measure in MEASURES},
        "embedding_norm": record["embedding_norm"] if kept else None,
        **decision.as_dict(),
        "track": record["track"] if seen.examined else "",
        "embedded_frames": record["embedded_frames"] if kept else [],
        "embeddings": record["embeddings"] if kept else "",
    }


def _value(measure: Measure, seen: FaceMeasurements) -> float | None:
    return measure.of(seen) if measure.of else seen.median(measure)


def _number(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _flat(frame: int, pad: float, face: Face) -> list[float]:
    return [
        float(frame),
        *map(float, face.box),
        face.score,
        pad,
        *map(float, face.landmarks.reshape(-1)),
    ]


def tracks_of(row: Mapping[str, Any]) -> np.ndarray:
    """The track of a row, float64 [frames, len(TRACK_FIELDS)]."""
    return unpacked(row["track"], "<f8").reshape(-1, len(TRACK_FIELDS))


def embeddings_of(row: Mapping[str, Any]) -> np.ndarray:
    """The unit embeddings of a row's `embedded_frames`, float32 [n, width]; [0, 0] of none."""
    number = len(row["embedded_frames"])
    values = unpacked(row["embeddings"], "<f4")
    return values.reshape(number, -1) if number else values.reshape(0, 0)


def packed(values: Any, kind: str) -> str:
    """Numbers as base64 text of their bytes: exact, and a tenth of the memory of lists."""
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()


def unpacked(text: str, kind: str) -> np.ndarray:
    """The flat numbers of `packed`."""
    return np.frombuffer(base64.b64decode(text), kind)
