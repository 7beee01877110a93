"""Face boxes in pixels to masks on the latent grid.

A mask marks every latent cell that the grown box touches, in every latent frame that covers a frame
with a face. No face, no mark: the caller falls back to the plain loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mm_model.diffusion.frames import frames_of_latent, latent_frame_count

GROW = 0.10


def box_to_cells(
    box: tuple[float, float, float, float], factor: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """Pixel box x0, y0, x1, y1 to latent cells (half-open), any coverage, clipped to the grid."""
    x0, y0, x1, y1 = box
    left, top = max(0, math.floor(x0 / factor)), max(0, math.floor(y0 / factor))
    right, bottom = min(width, math.ceil(x1 / factor)), min(height, math.ceil(y1 / factor))
    return left, top, max(left, right), max(top, bottom)


def latent_face_mask(
    boxes: Tensor,
    valid: Tensor,
    latent_size: tuple[int, int],
    factor: int = 8,
    grow: float = GROW,
) -> Tensor:
    """Mask `[T,h,w]` (float 0/1) from `boxes [frames,4]` (pixels) and `valid [frames]`.

    Each box grows by `grow` of its size in all (half on each side); latent frame k takes the union
    over its frames 4k-3..4k, latent frame 0 frame 0.
    """
    height, width = latent_size
    frames = len(boxes)
    mask = torch.zeros(latent_frame_count(frames), height, width)
    for k in range(len(mask)):
        for frame in frames_of_latent(k):
            if frame >= frames or not bool(valid[frame]):
                continue
            x0, y0, x1, y1 = (float(v) for v in boxes[frame])
            dx, dy = (x1 - x0) * grow / 2, (y1 - y0) * grow / 2
            left, top, right, bottom = box_to_cells(
                (x0 - dx, y0 - dy, x1 + dx, y1 + dy), factor, height, width
            )
            mask[k, top:bottom, left:right] = 1.0
    return mask
