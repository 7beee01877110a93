"""Putting a redrawn crop back: its edges fade into the clip, and outside of it nothing changes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mm_model.refine.boxes import CropPath

FEATHER = 5
"""Pixels over which the crop fades in, inside its own edges (the published workflow's value)."""


def resized(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames uint8 `[F,H,W,3]` at another size, by Lanczos."""
    if frames.shape[1:3] == (height, width):
        return frames
    size, how = (width, height), Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, how)) for frame in frames])


def pasted(frames: np.ndarray, crops: np.ndarray, path: CropPath) -> np.ndarray:
    """`frames [F,H,W,3]` with `crops [F,h,w,3]` where `path` says; the given ones stay as they are.

    A crop's edge that is the frame's own does not fade.
    """
    made = frames.copy()
    sides = (path.height, path.width)
    for k, (top, left) in enumerate(path.corners):
        there = np.s_[k, top : top + path.height, left : left + path.width]
        down, across = (
            _ramp(side, at == 0, at + side == whole)
            for side, at, whole in zip(sides, (top, left), frames.shape[1:3], strict=True)
        )
        share = np.minimum(down[:, None], across[None, :])[..., None]
        mixed = (1 - share) * frames[there] + share * crops[k]
        made[there] = np.round(mixed).astype(np.uint8)
    return made


def _ramp(side: int, first: bool, last: bool) -> np.ndarray:
    """Weights of one side's pixels; `first` and `last` say which end touches the frame's edge."""
    place = np.arange(side) + 0.5
    ends = [
        np.full(side, np.inf) if first else place,
        np.full(side, np.inf) if last else side - place,
    ]
    return np.minimum(np.minimum(*ends) / FEATHER, 1.0)
