"""Aligned faces: the similarity that carries five landmarks onto ArcFace's 112x112 template.

Least squares in closed form (Umeyama, 1991); gives the numbers of InsightFace's ``norm_crop``
(a test compares). Refuses landmarks of any other shape.
"""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 112
"""Side of an aligned face in pixels."""

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float64,
)
"""ArcFace's places of left eye, right eye, nose tip and mouth corners, [5, 2] pixels."""


def align_matrix(landmarks: np.ndarray) -> np.ndarray:
    """The similarity [2, 3] from ``landmarks`` [5, 2] to the template, in least squares.

    Raises ``ValueError`` when the shape is not [5, 2] or all points coincide.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2):
        raise ValueError(f"alignment needs five landmarks [5, 2], not {list(points.shape)}")
    from_mean, to_mean = points.mean(0), TEMPLATE.mean(0)
    source = (points - from_mean) @ np.array([1, 1j])
    target = (TEMPLATE - to_mean) @ np.array([1, 1j])
    spread = float((np.abs(source) ** 2).sum())
    if spread < 1e-12:
        raise ValueError("the five landmarks coincide; no face can be aligned by them")
    turn = (np.conj(source) * target).sum() / spread
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.hstack([rotation, (to_mean - rotation @ from_mean)[:, None]])


def crop(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The aligned face uint8 [112, 112, 3] of an image uint8 [H, W, 3]; outside is black."""
    return cv2.warpAffine(image, align_matrix(landmarks), (SIZE, SIZE), borderValue=(0, 0, 0))
