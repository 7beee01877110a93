"""How a head is held, in degrees, from the five landmarks of its face.

Pure arithmetic on points in pixels, for pictures and for the frames of clips. Yaw is positive to
the image's right, pitch down, roll where the top of the head tips to the image's right.
"""

from typing import Any, NamedTuple

NOSE_DEPTH = 0.62
"""How far the nose stands out before the eyes, in distances between them, of a mean face: what
turns the nose's shift into degrees (a design choice, near a head's proportions)."""

PITCH_DEGREES = 62.0
"""Degrees of pitch for a shift of the nose by the distance from eyes to mouth (alike)."""

LEVEL = 0.5
"""Where the nose of a level head lies between eyes (0) and mouth (1), near ArcFace's template."""


class Held(NamedTuple):
    """Degrees, and lengths in pixels: between the eyes, and from the eyes down to the mouth."""

    yaw: Any
    pitch: Any
    roll: Any
    apart: Any
    long: Any


def held(landmarks: Any) -> Held:
    """The pose of each face of `landmarks [..., 5, 2]` (eyes, nose, corners of the mouth; pixels).

    Each `[...]`; NaN where a landmark is. Faces differ, so pitch is known up to some ten degrees.
    Measured on 240 drawn heads within 45, 18 and 16 degrees, correlation with the truth and mean
    error: from exact points yaw 0.96 and 5.2, pitch 0.80 and 7.1, roll 0.82 and 4.7; from those of
    the embedded detector 0.97 and 7.8, 0.44 and 9.7, 0.24 and 7.7, for it hardly sees the last two.
    """
    import numpy as np

    points = np.asarray(landmarks, np.float64)
    eyes = points[..., :2, :].mean(axis=-2)
    mouth = points[..., 3:, :].mean(axis=-2)
    across = points[..., 1, :] - points[..., 0, :]
    apart = np.maximum(np.linalg.norm(across, axis=-1), 1e-6)
    along = across / apart[..., None]
    down = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    nose = points[..., 2, :] - eyes
    long = np.maximum(((mouth - eyes) * down).sum(-1), 1e-6)
    return Held(
        yaw=np.degrees(np.arctan((nose * along).sum(-1) / apart / NOSE_DEPTH)),
        pitch=PITCH_DEGREES * ((nose * down).sum(-1) / long - LEVEL),
        roll=np.degrees(np.arctan2(across[..., 1], across[..., 0])),
        apart=apart,
        long=long,
    )
