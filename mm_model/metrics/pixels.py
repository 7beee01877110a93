"""How alike two pictures are by plain arithmetic: colours, gradients, structure, flow. No weights.

They stand in where no embedding can be had, and are never in one column with one.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

HSV_BINS = (12, 4, 4)
_RANGES = (0, 180, 0, 256, 0, 256)
_CELL, _WAYS = 8, 9
"""Pixels a side of a cell of gradients, and their directions."""

_SIDE = 64
"""Pixels a side of the centred square in which gradients are compared."""

_WINDOW, _SPREAD = 11, 1.5
_STEADY = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The window and the two constants of SSIM as published."""

_FASTEST = 0.05
_STEP, _OF = 6.0, 256


def hsv_histogram(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Shares float32 `[12,4,4]` of the HSV colours of `image [H,W,3]` RGB uint8 inside `mask`."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2HSV)
    inside = None if mask is None else mask.astype(np.uint8)
    counts = cv2.calcHist([hsv], [0, 1, 2], inside, HSV_BINS, _RANGES)
    return np.asarray(counts / max(float(counts.sum()), 1.0))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two histograms, -1 to 1; equal ones give 1 even when flat."""
    a, b = (each.ravel() - each.mean() for each in (one, other))
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else float(np.array_equal(one, other))


def gradients(image: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of the cells of `image [H,W,3]`, of length one together."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, across = np.gradient(cv2.GaussianBlur(grey, (0, 0), 1.0))
    strength = np.hypot(down, across)
    way = (np.arctan2(down, across) % np.pi / np.pi * _WAYS).astype(int) % _WAYS
    rows, columns = (np.arange(length) // _CELL for length in grey.shape)
    wide = int(columns[-1]) + 1
    cells = (rows[:, None] * wide + columns) * _WAYS + way
    found = np.bincount(cells.ravel(), strength.ravel(), (int(rows[-1]) + 1) * wide * _WAYS)
    found = np.sqrt(found)  # a hard edge of the ground does not outweigh all others
    return found / max(float(np.linalg.norm(found)), 1e-9)


def small_square(image: np.ndarray) -> np.ndarray:
    """The centred square of `image [H,W,3]`, 64 pixels a side."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    cut = np.ascontiguousarray(image[top : top + side, left : left + side])
    return np.asarray(cv2.resize(cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of the greys of two pictures `[H,W,3]` of one size; equal ones give 1.

    A Gaussian window of 11 pixels. Source: Wang et al., Image quality assessment, 2004.
    """
    a, b = (cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (one, other))
    a, b = a.astype(np.float64), b.astype(np.float64)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SPREAD))

    ours, theirs = mean(a), mean(b)
    first, second = mean(a * a) - ours**2, mean(b * b) - theirs**2
    both = mean(a * b) - ours * theirs
    light = (2 * ours * theirs + _STEADY[0]) / (ours**2 + theirs**2 + _STEADY[0])
    return float((light * (2 * both + _STEADY[1]) / (first + second + _STEADY[1])).mean())


def frame_change(frames: np.ndarray) -> float | None:
    """Mean change of a pixel of `frames [T,H,W,3]` from one to the next, of 255; None of one."""
    if len(frames) < 2:
        return None
    return float(np.abs(np.diff(frames.astype(np.float64), axis=0)).mean())


def dynamic_degree(frames: np.ndarray, fps: float) -> tuple[float, float] | None:
    """VBench's rule of what moves, with Farneback's flow in place of RAFT's; None of one frame.

    Eight frames a second are looked at. A step counts where its fastest twentieth of the pixels
    moves by more than 6/256 of the shorter side; a quarter of the frames, one at least, must. Gives
    1 or 0, and the step that decides over the threshold. Source: VBench, `dynamic_degree.py`.
    """
    seen = frames[:: max(1, round(fps / 8))]
    if len(seen) < 2:
        return None
    threshold = _STEP * min(seen.shape[1:3]) / _OF
    least = max(1, round(4 * len(seen) / 16))
    greys = [cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY) for one in seen]
    steps = sorted((_fastest(a, b) for a, b in pairwise(greys)), reverse=True)
    deciding = steps[least - 1]
    return float(deciding > threshold), deciding / threshold


def _fastest(one: np.ndarray, other: np.ndarray) -> float:
    """Mean motion in pixels of the fastest twentieth of the pixels."""
    flow = np.asarray(
        cv2.calcOpticalFlowFarneback(
            one,
            other,
            None,
            pyr_scale=0.5,
            levels=3,
            winsize=15,
            iterations=3,
            poly_n=5,
            poly_sigma=1.2,
            flags=0,
        )
    )
    lengths = np.sort(np.linalg.norm(flow, axis=-1).ravel())
    return float(lengths[-max(1, int(_FASTEST * len(lengths))) :].mean())
