"""How much a clip moves: how far the face goes, how far the head turns, how far the face changes.

Each is the spread of a curve within a second, so that half as many frames, a border or another
size of the picture changes nothing. Spread is from the 5th to the 95th percentile. A value that
cannot be had is None, never 0: fewer than half of the frames show a face.
"""

from itertools import pairwise

import numpy as np

from mm_model.metrics import expression, pose
from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing

_LEAST_FRAMES = 3

_BENDS = 3
"""Degree of the smooth curve through a second's landmarks that is taken for motion."""


def enough(found: np.ndarray) -> bool:
    """Whether the frames that show a face `[T]` (bool) tell the clip's motion."""
    return bool(found.sum() >= max(_LEAST_FRAMES, len(found) / 2))


def windows(count: int, fps: float) -> list[slice]:
    """The clip's `count` frames in pieces of about a second, at least one; neighbours share one."""
    pieces = max(1, round((count - 1) / fps))
    ends = np.linspace(0, count - 1, pieces + 1).round().astype(int)
    return [slice(first, last + 1) for first, last in pairwise(ends)]


def spread(curve: np.ndarray) -> float:
    """From the 5th to the 95th percentile of what is there."""
    seen = curve[np.isfinite(curve)]
    return float(np.subtract(*np.percentile(seen, [95, 5])))


def a_second(curves: tuple[np.ndarray, ...], fps: float) -> float | None:
    """Spread of curves `[T]` together (root of the sum of squares) in a second, mean over seconds.

    None where fewer than half of the frames, or fewer than three, are there.
    """
    if not enough(np.isfinite(curves[0])):
        return None
    found = []
    for piece in windows(len(curves[0]), fps):
        seconds = (piece.stop - piece.start - 1) / fps
        if np.isfinite(curves[0][piece]).sum() > 1:
            found.append(np.hypot.reduce([spread(one[piece]) for one in curves]) / seconds)
    return float(np.mean(found)) if found else None


def trembling(landmarks: np.ndarray, boxes: np.ndarray, fps: float) -> float | None:
    """What is left of `landmarks [T,5,2]` beside a smooth curve a second, in face heights.

    Root of the mean square over landmarks and frames, the curve's degrees of freedom taken off. It
    is a length and not one a second: noise is as large at any rate of frames. `boxes [T,4]`.
    """
    height = pose.face_height(boxes)
    if height is None or not enough(np.isfinite(boxes).all(axis=1)):
        return None
    left, free = 0.0, 0
    for piece in windows(len(landmarks), fps):
        points = landmarks[piece].reshape(piece.stop - piece.start, -1) / height
        times = np.linspace(-1, 1, len(points))
        seen = np.isfinite(points).all(axis=1)
        if seen.sum() > _BENDS + 1:
            smooth = np.polynomial.polynomial.polyvander(times[seen], _BENDS)
            fitted = smooth @ np.linalg.lstsq(smooth, points[seen], rcond=None)[0]
            left += float(((points[seen] - fitted) ** 2).sum())
            free += 5 * (int(seen.sum()) - _BENDS - 1)
    return float(np.sqrt(left / free)) if free else None


def eyes_present(contrast: np.ndarray) -> float | None:
    """Share of the frames with a face whose eyes can be told; None without a face."""
    seen = contrast[np.isfinite(contrast)]
    return float((seen >= expression.EYE_CONTRAST).mean()) if len(seen) else None


def _of_the_head(seen: Evidence) -> tuple[float | None, ...]:
    held = pose.curves(seen.landmarks, seen.boxes)
    if held is None or not enough(np.isfinite(held.x)):
        return None, None, None, None
    angles = (held.yaw, held.pitch, pose.roll(seen.frames, seen.landmarks))
    return (
        a_second((held.x, held.y), seen.fps),
        a_second(angles, seen.fps),
        spread(held.yaw),
        trembling(seen.landmarks, seen.boxes, seen.fps),
    )


def _of_the_face(seen: Evidence) -> tuple[float | None, ...]:
    face = expression.expression(seen.frames, seen.landmarks)
    together = (face.mouth, face.eyes)
    known = enough(np.isfinite(face.mouth))
    return (
        a_second(together, seen.fps),
        float(np.hypot.reduce([spread(one) for one in together])) if known else None,
        eyes_present(face.eyes),
    )


_SPREAD = "5th to 95th percentile within a second, mean over seconds"

METRICS = (
    Formula(
        name="extent",
        needs=needing(Evident.FRAMES, Evident.FACES),
        columns=(
            Column(
                name="translation",
                meaning="how far the face goes in a second",
                unit="face heights/s",
                mean="translation",
                heading="translation",
                least=0,
                convention=f"middle of the landmarks, {_SPREAD}",
            ),
            Column(
                name="turn",
                meaning="how far the head turns, nods and tips in a second",
                unit="degrees/s",
                mean="turn",
                heading="turn",
                least=0,
                convention=f"yaw, pitch and roll together, {_SPREAD}",
            ),
            Column(
                name="yaw_range",
                meaning="how far the head turns to the sides in the whole clip",
                unit="degrees",
                mean="yaw_range",
                least=0,
            ),
            Column(
                name="trembling",
                meaning="what is left of the landmarks' motion beside a smooth one",
                unit="face heights",
                better="lower",
                mean="trembling",
                heading="trembling",
                least=0,
                convention="root mean square beside a cubic a second",
            ),
        ),
        of=_of_the_head,
    ),
    Formula(
        name="face_change",
        needs=needing(Evident.FRAMES, Evident.FACES),
        columns=(
            Column(
                name="expression",
                meaning="how far mouth and eyes change in a second, in the cheeks' brightness",
                unit="1/s",
                mean="expression",
                heading="expression",
                least=0,
                convention=f"mouth and eyes together, {_SPREAD}",
            ),
            Column(
                name="expression_range",
                meaning="how far mouth and eyes change in the whole clip, alike",
                mean="expression_range",
                least=0,
            ),
            Column(
                name="eyes_present",
                meaning="share of the frames with a face whose eyes can be told from skin",
                better="higher",
                mean="eyes_present",
                least=0,
                most=1,
            ),
        ),
        of=_of_the_face,
    ),
)
