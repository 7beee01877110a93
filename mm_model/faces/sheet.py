"""The contact sheet of the faces stage: what people look at to see what was found."""

import numpy as np

from mm_model.faces.detection import task_of
from mm_model.faces.row import TRACK_FIELDS, tracks_of
from mm_model.records import Status
from mm_model.run.stage import Job
from mm_model.store import atomic
from mm_model.store.held import HeldRow, HeldRows

_KEPT, _REJECTED = 40, 40
_SIDE = 384  # what is held of a picture until the sheet is made


def sheet(job: Job, samples: HeldRows, rows: HeldRows) -> None:
    """Some kept faces under their identities, then some rejected under their reasons."""
    from mm_model.faces.drawing import GREEN, RED
    from mm_model.faces.track import spread
    from mm_model.media.sheet import contact_sheet, jpeg_bytes

    images, labels = [], []
    for status, most, colour, caption in (
        (Status.KEPT, _KEPT, GREEN, "identity"),
        (Status.REJECTED, _REJECTED, RED, "reason"),
    ):
        group = [place for place, row in enumerate(rows) if row["status"] == status]
        for place in (group[number] for number in spread(len(group), most)):
            row = rows[place]
            image = _drawn(job, samples[place], row, colour)
            if image is not None:
                images.append(image)
                labels.append(row[caption])
    if images:
        atomic.write_bytes(job.out / "sheet.jpg", jpeg_bytes(contact_sheet(images, labels, 10)))


def _drawn(
    job: Job, sample: HeldRow, row: HeldRow, colour: tuple[int, int, int]
) -> np.ndarray | None:
    """The first frame of a sample's track, small, its face marked; None if it cannot be read.

    Any later frame of a clip would cost decoding all before it.
    """
    from mm_model.facepack.detect import reduced
    from mm_model.facepack.port import face_of
    from mm_model.faces.drawing import marked
    from mm_model.faces.pictures import Pictures

    track = tracks_of(row)
    entry = dict(zip(TRACK_FIELDS, track[0], strict=True)) if len(track) else None
    frame = int(entry["frame"]) if entry else 0
    task = task_of(job, sample)
    pictures = Pictures(task.path, task.media, task.num_frames, task.width, task.height)
    try:
        small, factor = reduced(next(image for _, image in pictures.at([frame])), _SIDE)
    except Exception:  # it failed or was rejected above; the sheet does without it
        return None
    return marked(small, face_of(entry).enlarged(1 / factor) if entry else None, colour)
