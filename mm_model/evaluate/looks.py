"""What a detector and the judges see in a clip: the one pass every face metric reads.

The pipeline's pack finds faces and landmarks; every judge tells who they are, and an outsider's own
detector whether it finds a face there too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import Face, FacePack, unit
from mm_model.judges.port import Judge
from mm_model.settings import FacesSettings


@dataclass(frozen=True)
class Look:
    """Per frame: `boxes [T,4]`, `landmarks [T,5,2]`, and by judge unit `faces [T,E]` of the largest
    face, NaN where none is; `counts [T]` faces. `found`: share of frames with a face by each
    outsider's own detector.
    """

    boxes: np.ndarray
    landmarks: np.ndarray
    counts: np.ndarray
    faces: Mapping[str, np.ndarray]
    found: Mapping[str, float]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)


def largest(faces: tuple[Face, ...]) -> Face | None:
    """The largest face, the default policy when several are found."""
    return max(faces, key=lambda face: face.area, default=None)


def look_at(
    frames: np.ndarray, *, pack: FacePack, judges: Sequence[Judge], rules: FacesSettings
) -> Look:
    """Detect every frame of `frames` uint8 `[T,H,W,3]` once and let every judge embed it."""
    count = len(frames)
    boxes = np.full((count, 4), np.nan)
    landmarks = np.full((count, 5, 2), np.nan)
    counts = np.zeros(count, int)
    faces = {one.name: np.full((count, one.pack.width), np.nan) for one in judges}
    for t, frame in enumerate(frames):
        seen = chosen_faces(pack, frame, rules).faces
        face, counts[t] = largest(seen), len(seen)
        if face is not None:
            boxes[t], landmarks[t] = face.box, face.landmarks
            for one in judges:
                faces[one.name][t] = unit(one.pack.embed(frame, face))
    found = {one.name: _found(one.pack, frames, rules) for one in judges if one.detects}
    return Look(boxes, landmarks, counts, faces=faces, found=found, size=frames.shape[1:3])


def _found(pack: FacePack, frames: np.ndarray, rules: FacesSettings) -> float:
    return float(np.mean([bool(chosen_faces(pack, frame, rules).faces) for frame in frames]))
