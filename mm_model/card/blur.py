"""Faces made unknowable, and pictures made small: what of a picture goes into a card.

A face becomes nine colours that run into each other, so that no feature of it is left.
"""

import base64
from collections.abc import Sequence

import numpy as np

SIDE = 112
"""The longer side of a picture on the page, in pixels."""

_QUALITY = 80
_MARGIN = 0.35
"""How far beyond its box a face is blurred, in sides of the box."""
_CELLS = 3

Box = Sequence[float]
"""x1, y1, x2, y2 in pixels of a picture; it may reach beyond."""


def small(image: np.ndarray, side: int = SIDE) -> tuple[np.ndarray, float]:
    """The picture, uint8 [H, W, 3], at most `side` long, and how much smaller it became."""
    import cv2

    factor = min(1.0, side / max(image.shape[:2]))
    if factor == 1:
        return image, 1.0
    size = tuple(max(1, round(length * factor)) for length in (image.shape[1], image.shape[0]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def blurred(image: np.ndarray, boxes: Sequence[Box] | None) -> np.ndarray:
    """A copy in which the faces in `boxes` are unknowable, or all of it where they are None."""
    height, width = image.shape[:2]
    made = image.copy()
    for x1, y1, x2, y2 in [(0.0, 0.0, width, height)] if boxes is None else boxes:
        across, down = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
        left, right = _within(x1 - across, x2 + across, width)
        top, bottom = _within(y1 - down, y2 + down, height)
        if right > left and bottom > top:
            made[top:bottom, left:right] = _washed(image[top:bottom, left:right])
    return made


def _within(low: float, high: float, length: int) -> tuple[int, int]:
    return max(0, int(np.floor(low))), min(length, int(np.ceil(high)))


def _washed(part: np.ndarray) -> np.ndarray:
    import cv2

    cells = cv2.resize(part, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return cv2.resize(cells, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def as_uri(image: np.ndarray) -> str:
    """A picture as a JPEG in a data URI."""
    from mm_model.media.sheet import jpeg_bytes

    content = base64.b64encode(jpeg_bytes(image, _QUALITY)).decode()
    return f"data:image/jpeg;base64,{content}"
