"""The part of a reference picture that the identity encoder sees: a square around the face.

One function for training, evaluation and serving, so that all three show the model the same thing.
PhotoMaker feeds the whole picture; a margin of None does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_EDGE = 127


@dataclass(frozen=True)
class Portrait:
    """`image` RGB and `landmarks [5,2]` in its pixels."""

    image: Image.Image
    landmarks: np.ndarray


def portrait(
    picture: np.ndarray, box: np.ndarray, landmarks: np.ndarray, margin: float | None
) -> Portrait:
    """Cut a square of `margin` face heights centred on `box [4]` out of `picture [H,W,3]` uint8.

    Parts outside the picture become grey. `landmarks [5,2]` follow.
    """
    if margin is None:
        return Portrait(Image.fromarray(picture), np.asarray(landmarks, float))
    side = max(8, round(margin * max(box[3] - box[1], box[2] - box[0])))
    left = round((box[0] + box[2]) / 2 - side / 2)
    top = round((box[1] + box[3]) / 2 - side / 2)
    canvas = np.full((side, side, 3), _EDGE, np.uint8)
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x1 > x0 and y1 > y0:
        canvas[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
    shifted = np.asarray(landmarks, float) - np.array([left, top])
    return Portrait(Image.fromarray(canvas), shifted)
