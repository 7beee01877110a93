"""How much of a picture is lettering: subtitles, captions, watermarks, overlaid signs.

A classical heuristic: thin strokes lighter or darker than their surroundings, in pieces of like
height that stand side by side on one line. It reads nothing, knows no script, and misses single
letters and script that hangs together; the profile may switch it off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDE = 256
"""Longest side, in pixels, at which lettering is looked for (smaller pictures are enlarged)."""

_STROKE = 11
"""Strokes thinner than this many pixels stand out from a morphological opening or closing."""

_CONTRAST = 60
_PIECE_HEIGHT = (6, 54)
_PIECE_FILL = (0.18, 0.9)
_MIN_STROKE_SHARE = 0.004
_MIN_PIECES = 5
_MIN_LINE_ASPECT = 3.0


@dataclass(frozen=True)
class _Piece:
    """A connected stroke: left, top, width, height in pixels."""

    x: int
    y: int
    w: int
    h: int

    @property
    def middle(self) -> float:
        return self.y + self.h / 2


def area_share(picture: np.ndarray) -> float:
    """Share of the area of `picture` (uint8 [H, W, 3] RGB) inside lines of lettering, 0-1."""
    mask = _line_mask(picture)
    return float(mask.mean())


def lasting_area_share(frames: Sequence[np.ndarray]) -> float | None:
    """The same for a clip: the median over frames sampled from it, [h, w, 3] each."""
    if len(frames) == 0:
        return None
    return float(np.median([area_share(frame) for frame in frames]))


def _line_mask(picture: np.ndarray) -> np.ndarray:
    import cv2

    scale = SIDE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=method), cv2.COLOR_RGB2GRAY)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE, _STROKE))
    mask = np.zeros(grey.shape, dtype=bool)
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        strokes = cv2.morphologyEx(grey, operation, kernel) > _CONTRAST
        for line in _lines(_pieces(strokes)):
            left, right = min(p.x for p in line), max(p.x + p.w for p in line)
            top, bottom = min(p.y for p in line), max(p.y + p.h for p in line)
            if right - left >= _MIN_LINE_ASPECT * (bottom - top):
                mask[top:bottom, left:right] = True
    return mask


def _pieces(strokes: np.ndarray) -> list[_Piece]:
    import cv2

    if strokes.mean() < _MIN_STROKE_SHARE:
        return []
    found = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)[2][1:]
    x, y, w, h, area = found.T
    fill = area / (w * h)
    (low, high), (sparse, dense) = _PIECE_HEIGHT, _PIECE_FILL
    upright = w < 0.4 * h  # I, l, 1: as dense as they like
    letter = (0.1 * h <= w) & (w <= 1.6 * h) & (sparse <= fill) & (fill <= dense)
    chosen = (low <= h) & (h <= high) & (letter | upright)
    return [_Piece(*map(int, row)) for row in found[chosen, :4]]


def _lines(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Chains of at least five pieces of like height, side by side, each near the next."""
    chains: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda p: (p.x, p.y)):
        fitting = [c for c in chains if _follows(c[-1], piece)]
        if fitting:
            min(fitting, key=lambda c: piece.x - c[-1].x).append(piece)
        else:
            chains.append([piece])
    return [chain for chain in chains if len(chain) >= _MIN_PIECES]


def _follows(last: _Piece, piece: _Piece) -> bool:
    height = max(last.h, piece.h)
    return (
        min(last.h, piece.h) >= 0.65 * height
        and abs(last.middle - piece.middle) <= 0.25 * height
        and 0 < piece.x - last.x
        and piece.x - (last.x + last.w) <= 1.3 * height
    )
