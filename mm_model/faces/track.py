"""One face from picture to picture: the choice among several, and what a clip shows over time.

A track follows overlap, not likeness: within one shot that is cheaper and does not drift.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from mm_model.facepack.port import Face

SAME_FACE_OVERLAP = 0.3
"""Least overlap (IoU) with the face chosen before (evaluation policy 0.4, variant `track`)."""


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2; 0 for empty boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = float(width * height)
    areas = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (first, second))
    return shared / (areas - shared)


def pick(faces: Sequence[Face], last: Face | None) -> Face | None:
    """The face to follow: the best overlap (>= 0.3) with `last`, else the largest; None of none."""
    if not faces:
        return None
    if last is not None:
        best = max(faces, key=lambda face: overlap(face.box, last.box))
        if overlap(best.box, last.box) >= SAME_FACE_OVERLAP:
            return best
    return max(faces, key=lambda face: face.area)


def follow(frames: Iterable[Sequence[Face]]) -> list[Face | None]:
    """The chosen face of each frame (see `pick`).

    A frame without a face gives None and does not end the track.
    """
    chosen: list[Face | None] = []
    last: Face | None = None
    for faces in frames:
        face = pick(faces, last)
        chosen.append(face)
        last = face or last
    return chosen


def spread(number: int, most: int | None) -> list[int]:
    """Up to `most` indices spread evenly over `number`, ends included (truncated linspace)."""
    if most is None or most >= number:
        return list(range(number))
    return [int(index) for index in np.linspace(0, number - 1, most)]
