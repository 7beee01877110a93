"""What a detector and the judge see in a clip: the one pass every face metric reads.

The pipeline's pack finds faces and landmarks; the judge, whose recogniser no loss, filter or
conditioning ever used, tells who they are.
"""

from dataclasses import dataclass

import numpy as np

from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import Face, FacePack, unit
from mm_model.settings import FacesSettings


@dataclass(frozen=True)
class Look:
    """Per frame: `boxes [T,4]`, `landmarks [T,5,2]`, unit `faces [T,E]`; NaN where no face is."""

    boxes: np.ndarray
    landmarks: np.ndarray
    faces: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)


def largest(faces: tuple[Face, ...]) -> Face | None:
    """The largest face, the default policy when several are found."""
    return max(faces, key=lambda face: face.area, default=None)


def look_at(frames: np.ndarray, *, pack: FacePack, judge: FacePack, rules: FacesSettings) -> Look:
    """Detect and embed every frame of `frames` uint8 `[T,H,W,3]`."""
    count = len(frames)
    boxes = np.full((count, 4), np.nan)
    landmarks = np.full((count, 5, 2), np.nan)
    embeddings = np.full((count, judge.width), np.nan)
    for t, frame in enumerate(frames):
        face = largest(chosen_faces(pack, frame, rules).faces)
        if face is not None:
            boxes[t], landmarks[t] = face.box, face.landmarks
            embeddings[t] = unit(judge.embed(frame, face))
    return Look(boxes, landmarks, embeddings, frames.shape[1:3])
