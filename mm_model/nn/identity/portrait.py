"""The part of a reference picture that the identity encoder sees: a square around the face.

One function for training, watching, evaluation, serving and every other caller, so that all show
the model the same thing: equal pixels and an equal face give an equal portrait, bit for bit. The
margin is the adapter's (`AdapterConfig.reference_margin`). PhotoMaker feeds the whole picture; a
margin of None does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mm_model.facepack.detect import reduced
from mm_model.facepack.port import Face

LARGEST = 1024
"""Longest side in pixels of a portrait: four times what the largest encoder reads (design choice).
It bounds the memory of alignment, and the aligned face is sampled without gaps."""

_EDGE = 127  # grey, near the mean that CLIP's normalisation takes away: as good as nothing there


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture as it is looked at: `pixels [H,W,3]` uint8 RGB and its one `face` in them.

    `of` makes one; `pixels` are the picture's own unless it is very large.
    """

    pixels: np.ndarray
    face: Face

    @classmethod
    def of(cls, picture: np.ndarray, face: Face) -> Photograph:
        """`picture` with `face` in its pixels, reduced as `facepack.detect.reduced` says.

        What was reduced stays as it is, so it makes no difference who does it first.
        """
        view, factor = reduced(picture)
        return cls(view, face.enlarged(1 / factor))


@dataclass(frozen=True)
class Portrait:
    """`image` RGB and `landmarks [5,2]` in its pixels."""

    image: Image.Image
    landmarks: np.ndarray


def portrait(picture: np.ndarray, face: Face, margin: float | None) -> Portrait:
    """Cut a square of `margin` face heights, centred on `face`, out of `picture [H,W,3]` uint8.

    Parts outside the picture become grey, the landmarks follow, and a square of more than `LARGEST`
    pixels a side is cut from a picture reduced to fit it.
    """
    seen = Photograph.of(picture, face)
    view, face = seen.pixels, seen.face
    height, width = view.shape[:2]
    side = max(height, width) if margin is None else _side(face, margin)
    if side > LARGEST:
        view, factor = reduced(view, max(height, width) * LARGEST / side)
        face = face.enlarged(1 / factor)
    landmarks = face.landmarks.astype(float)
    if margin is None:
        return Portrait(Image.fromarray(view), landmarks)
    return _cut(view, face.box.astype(float), landmarks, _side(face, margin))


def _side(face: Face, margin: float) -> int:
    x0, y0, x1, y1 = face.box.astype(float)
    return max(8, round(margin * max(y1 - y0, x1 - x0)))


def _cut(view: np.ndarray, box: np.ndarray, landmarks: np.ndarray, side: int) -> Portrait:
    left = round((box[0] + box[2]) / 2 - side / 2)
    top = round((box[1] + box[3]) / 2 - side / 2)
    canvas = np.full((side, side, 3), _EDGE, np.uint8)
    height, width = view.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x1 > x0 and y1 > y0:
        canvas[y0 - top : y1 - top, x0 - left : x1 - left] = view[y0:y1, x0:x1]
    return Portrait(Image.fromarray(canvas), landmarks - np.array([left, top]))
