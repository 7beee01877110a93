"""Tiled VCD: the clip at twice its size, drawn again in windows that overlap.

In each step the windows' predictions are added up by weights that fall to their edges, so no seam
is left (MultiDiffusion; the published workflow redraws one tile after the other). A plain Lanczos
resize stands where that workflow uses an ESRGAN-type model. The subject is heard where a window
meets the face, or grounds would grow faces. Source: Magic-Me (arXiv 2402.09368), section 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mm_model.refine import boxes, paste
from mm_model.refine.port import FindFaces, Redrawer, drawn_again

UPSCALE = 2
_STRIDE = 0.73
"""Distance of windows over their side at most: more than a quarter overlaps."""


@dataclass(frozen=True, order=True)
class TileWindow:
    """A part of the latents in cells, from `top`, `left`, of `height` x `width`."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, latents: Tensor) -> Tensor:
        """The part of `latents [...,h,w]`."""
        return latents[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def meets(self, boxes: np.ndarray) -> bool:
        """Whether any of `boxes [F,4]` x1, y1, x2, y2 in cells lies partly inside."""
        across = (boxes[:, 0] < self.left + self.width) & (boxes[:, 2] > self.left)
        down = (boxes[:, 1] < self.top + self.height) & (boxes[:, 3] > self.top)
        return bool((across & down).any())


def windows_of(whole: tuple[int, int], model: tuple[int, int]) -> list[TileWindow]:
    """Windows of the model's size that cover `whole` evenly; both are height and width in cells."""
    sides = [min(pair) for pair in zip(whole, model, strict=True)]
    rows, columns = (_starts(length, side) for length, side in zip(whole, sides, strict=True))
    return [TileWindow(top, left, *sides) for top in rows for left in columns]


def _starts(length: int, side: int) -> list[int]:
    count = 1 + math.ceil((length - side) / max(1, math.floor(_STRIDE * side)))
    return [round(start) for start in np.linspace(0, length - side, count)]


def weight_of(window: TileWindow) -> Tensor:
    """`[height,width]` float64, largest in the middle and above 0 everywhere."""
    down, across = (
        torch.minimum(place := torch.arange(side, dtype=torch.float64) + 0.5, side - place)
        for side in (window.height, window.width)
    )
    return down[:, None] * across[None, :]


def fused(
    latents: Tensor, windows: Sequence[TileWindow], of: Callable[[TileWindow], Tensor]
) -> Tensor:
    """The weighted mean over `windows` of what `of` says of each, in the shape of `latents`.

    Windows are asked and summed in one order, in float64, whatever order they are given in.
    """
    total = torch.zeros(latents.shape, dtype=torch.float64)
    weights = torch.zeros(latents.shape[-2:], dtype=torch.float64)
    for window in sorted(windows):
        weight = weight_of(window)
        window.cut(total).add_(weight * of(window).double().cpu())
        window.cut(weights).add_(weight)
    return (total / weights).to(latents.device, latents.dtype)


def tiles_redrawn(
    frames: np.ndarray, redrawer: Redrawer, find: FindFaces, strength: float
) -> tuple[np.ndarray, str]:
    """`frames [F,H,W,3]` as `[F,2H,2W,3]`, and a note.

    Raises:
        UserError: the model cannot redraw so many frames.
    """
    redrawer.check(len(frames))
    track = boxes.tracked(frames, find)
    high, wide = (UPSCALE * side for side in frames.shape[1:3])
    cell = redrawer.factor
    rest = ((0, 0), (0, -high % redrawer.unit), (0, -wide % redrawer.unit), (0, 0))
    large = np.pad(paste.resized(frames, high, wide), rest, mode="edge")
    model = (redrawer.size[0] // cell, redrawer.size[1] // cell)
    windows = windows_of((large.shape[1] // cell, large.shape[2] // cell), model)
    shown = set()
    if track is not None:
        in_cells = track.boxes * UPSCALE / cell
        shown = {window for window in windows if window.meets(in_cells)}

    def predict(latents: Tensor, time: Any) -> Tensor:
        return fused(latents, windows, lambda w: redrawer.predict(w.cut(latents), time, w in shown))

    made = drawn_again(redrawer, large, strength, predict)[:, :high, :wide]
    said = f"{wide}x{high} pixels in {len(windows)} windows, {len(shown)} of them with the subject"
    return made, said if track is not None else f"{said}: no face was found"
