"""Mouth, eyes and brows of a face, from the pixels around its landmarks: five points hide them.

Every face is laid on one small canvas, eyes and mouth at fixed places, so that size, place and turn
of the head leave it nearly as it is. Brightness counts in that of the cheeks.
"""

from dataclasses import dataclass

import cv2
import numpy as np

CANVAS = (56, 48)
"""Height and width of the canvas in pixels."""

_ANCHORS = np.array([[12, 18], [36, 18], [24, 40]], np.float32)
"""Where the eyes and the middle of the mouth lie on it, across and down."""

_CHEEKS = ((25, 32, 7, 14), (25, 32, 34, 41))
_EYES = ((14, 23, 7, 18), (14, 23, 30, 41))
_MOUTH, _BELOW, _WIDTH = (36, 52, 16, 32), (42, 54, 18, 30), (36, 48, 12, 36)
_CORNERS, _LIPS = ((36, 44, 10, 17), (36, 44, 31, 38)), (36, 46, 20, 28)
_BROWS, _LIDS = (5, 13, 7, 41), (15, 22, 7, 41)
"""Places on it: top, bottom, left, right."""

_DARKEST = 8.0
"""Least brightness of cheeks, of 255: a black picture has no skin."""

EYE_CONTRAST = 0.09
"""From which contrast around the eyes on there are eyes. Procedural people have 0.10 to 0.55 with
eyes open and 0.14 to 0.25 with them shut (lids and lashes show); blurred until no eye can be seen,
0.02 to 0.09 (people 10000 to 10019, at 64 pixels)."""


@dataclass(frozen=True)
class Expression:
    """A face over the frames of a clip, each `[T]`; NaN where no face is.

    mouth: how unlike skin mouth and chin are, in the brightness of the cheeks; it grows as the
    mouth opens. eyes: contrast of the patches around the eyes, in the same. smile: how far the
    corners of the mouth have gone out and up, brows: how far the brows have gone up since the first
    frame, both in canvas pixels (the eyes lie 24 apart).
    """

    mouth: np.ndarray
    eyes: np.ndarray
    smile: np.ndarray
    brows: np.ndarray


def canvas(frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The face of `frame [H,W,3]` at `landmarks [5,2]`, its brightness over that of its cheeks."""
    anchors = np.stack([landmarks[0], landmarks[1], landmarks[3:].mean(axis=0)])
    way = cv2.getAffineTransform(anchors.astype(np.float32), _ANCHORS)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    laid = cv2.warpAffine(grey, way, CANVAS[::-1], borderMode=cv2.BORDER_REPLICATE)
    skin = np.median([_at(laid, place) for place in _CHEEKS])
    return laid / max(float(skin), _DARKEST)


def expression(frames: np.ndarray, landmarks: np.ndarray) -> Expression:
    """Curves of `frames` uint8 `[T,H,W,3]` with `landmarks [T,5,2]`."""
    found = np.full((len(frames), 4), np.nan)
    first = None
    for t, (frame, points) in enumerate(zip(frames, landmarks, strict=True)):
        if np.isfinite(points).all():
            face = canvas(frame, points)
            first = face if first is None else first
            found[t] = _read(face, first)
    return Expression(*found.T)


def _at(laid: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    top, bottom, left, right = place
    return laid[top:bottom, left:right]


def _read(face: np.ndarray, first: np.ndarray) -> tuple[float, float, float, float]:
    mouth = _at(face, _MOUTH).std() + np.abs(_at(face, _BELOW) - 1).mean()
    eyes = np.mean([_at(face, place).std() for place in _EYES])
    moved = -_flow(first, face)  # up
    corners = np.mean([_at(moved, place).mean() for place in _CORNERS])
    smile = _spread(face) + corners - _at(moved, _LIPS).mean()
    brows = _at(moved, _BROWS).mean() - np.median(_at(moved, _LIDS))
    return float(mouth), float(eyes), float(smile), float(brows)


def _spread(face: np.ndarray) -> float:
    """How far across the dark of the mouth reaches: its standard deviation."""
    dark = np.clip(1 - _at(face, _WIDTH), 0, None).sum(axis=0) + 1e-3
    places = np.arange(len(dark)) - (len(dark) - 1) / 2
    return float(np.sqrt((dark * places**2).sum() / dark.sum()))


def _flow(first: np.ndarray, face: np.ndarray) -> np.ndarray:
    """How far down each pixel of the first face has gone, `[H,W]`."""
    one, other = (np.clip(laid * 110, 0, 255).astype(np.uint8) for laid in (first, face))
    return cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 2, 9, 5, 7, 1.5, 0)[..., 1]
