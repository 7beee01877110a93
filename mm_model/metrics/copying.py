"""Is the face in the clip the very picture that was shown? Told from pixels, where a recogniser of
small pictures finds shown and withheld ones equally like the person."""

import numpy as np

from mm_model.metrics.expression import canvas
from mm_model.metrics.port import Column, Evidence, Evident, Formula, Gallery, needing


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two faces on the canvas; 0 where one of them is of one brightness."""
    one, other = first - first.mean(), second - second.mean()
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / lengths if lengths > 0 else 0.0


def pixel_gap(frames: np.ndarray, landmarks: np.ndarray, gallery: Gallery) -> float | None:
    """Likeness in pixels to the shown pictures minus that to the withheld ones, mean over frames.

    Of either kind the likest picture counts. `frames` uint8 `[T,H,W,3]`, `landmarks [T,5,2]` (NaN
    without a face). None without a face, or without a picture of either kind.
    """
    laid = [canvas(pixels, face.landmarks) for pixels, face in gallery.pictures]
    count = len(gallery.shown)
    shown, withheld = laid[:count], laid[count:]
    seen = [
        canvas(frame, points)
        for frame, points in zip(frames, landmarks, strict=True)
        if np.isfinite(points).all()
    ]
    if not seen or not shown or not withheld:
        return None
    gaps = [
        max(likeness(face, one) for one in shown) - max(likeness(face, one) for one in withheld)
        for face in seen
    ]
    return float(np.mean(gaps))


def _copied(seen: Evidence) -> tuple[float | None]:
    return (pixel_gap(seen.frames, seen.landmarks, seen.gallery),)


METRICS = (
    Formula(
        name="copying",
        needs=needing(Evident.FRAMES, Evident.FACES, Evident.REFERENCE),
        columns=(
            Column(
                name="pixel_gap",
                meaning="correlation of the face's pixels with the likest shown picture's, minus "
                "that with the likest withheld one's",
                better="lower",
                mean="pixel_gap",
                least=-2,
                most=2,
            ),
        ),
        of=_copied,
    ),
)
