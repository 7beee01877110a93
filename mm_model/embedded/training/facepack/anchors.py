"""Where the detector looks: SCRFD's grid of strides 8, 16, 32 with two anchors a place.

Holds the geometry shared by training targets, losses and decoding: centres, anchor sizes, the
assignment of faces to anchors, non-maximum suppression. No network, no images.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRIDES = (8, 16, 32)
"""Pixels between neighbouring places of the three outputs."""

ANCHOR_SIZES = ((12.0, 20.0), (32.0, 50.0), (78.0, 118.0))
"""Side of the two anchors of each stride, in pixels of the detector's input (design choice: the
tiny profile detects at 128, so 12 to 118 pixels span every face; SCRFD's own are for 640)."""

MEAN_LANDMARKS = ((-0.2, -0.1), (0.2, -0.1), (0.0, 0.1), (-0.15, 0.28), (0.15, 0.28))
"""Eyes, nose tip, mouth corners of an upright face, in face sides from the box's centre."""

_NEGATIVE, _IGNORED = -1, -2


@lru_cache(maxsize=16)
def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres [N, 2], strides [N] and anchor sizes [N] of an input of ``height`` x ``width``.

    The order is InsightFace's: stride by stride, rows, columns, then the two anchors of a place.
    Centres are place times stride, without a half step. Raises ``ValueError`` unless both sides
    are multiples of 32.
    """
    if height % STRIDES[-1] or width % STRIDES[-1]:
        raise ValueError(f"the detector's input must be a multiple of 32, not {width}x{height}")
    centres, strides, sizes = [], [], []
    for stride, pair in zip(STRIDES, ANCHOR_SIZES, strict=True):
        rows, columns = np.mgrid[: height // stride, : width // stride]
        places = np.stack([columns, rows], axis=-1).reshape(-1, 2) * float(stride)
        centres.append(np.repeat(places, len(pair), axis=0))
        strides.append(np.full(len(places) * len(pair), stride))
        sizes.append(np.tile(pair, len(places)))
    return (
        np.concatenate(centres).astype(np.float32),
        np.concatenate(strides).astype(np.float32),
        np.concatenate(sizes).astype(np.float32),
    )


def assign(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Face number of every anchor, int64 [N]; -1 is background, -2 takes part in no loss.

    ``boxes`` [M, 4] are corners in pixels. A face is taken by anchors whose centre lies in the
    middle fifth (at least the nearest one) and whose size is near its own (factor 1.3, at least
    the nearest size); anchors around these are ignored. Smaller faces win over larger ones.
    """
    centres, strides, sizes = grid(height, width)
    owner = np.full(len(centres), _NEGATIVE, dtype=np.int64)
    if len(boxes) == 0:
        return owner
    sides = np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0), axis=1))
    ignored = np.zeros(len(centres), dtype=bool)
    for face in np.argsort(-sides):
        middle = (boxes[face, :2] + boxes[face, 2:]) / 2
        away = np.abs(centres - middle).max(axis=1)
        octaves = np.abs(np.log(sizes / sides[face]))
        fits = octaves <= max(np.log(1.3), octaves.min() + 1e-6)
        near = away <= np.maximum(0.2 * sides[face], strides * 0.5 + 1e-6)
        if not (fits & near).any():
            near |= away <= away[fits].min() + 1e-6
        ignored |= (octaves <= np.log(2.2)) & (away <= np.maximum(0.4 * sides[face], strides))
        owner[fits & near] = face
    owner[ignored & (owner == _NEGATIVE)] = _IGNORED
    return owner


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float = 0.4) -> np.ndarray:
    """Indices of the boxes [N, 4] that stay, best score first (non-maximum suppression)."""
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        order = order[shared / (areas[best] + areas[order] - shared) <= overlap]
    return np.asarray(kept, dtype=np.int64)
