"""From cached frames to tensors and back: ranges, weights of the face box, picture grids.

Tensors are float32 in [-1, 1], channels first; cached frames are uint8, channels last. Nothing
random happens here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def to_tensor(frames: np.ndarray) -> Tensor:
    """uint8 [..., H, W, 3] -> float32 [..., 3, H, W] in [-1, 1]."""
    tensor = torch.from_numpy(np.array(frames)).float().div_(127.5).sub_(1.0)
    return tensor.movedim(-1, -3).contiguous()


def clip_tensor(frames: np.ndarray) -> Tensor:
    """uint8 [B, T, H, W, 3] -> float32 [B, 3, T, H, W] in [-1, 1], as the VAE takes it."""
    return to_tensor(frames).movedim(1, 2).contiguous()


def to_frames(pixels: Tensor) -> np.ndarray:
    """float [..., 3, H, W] in [-1, 1] -> uint8 [..., H, W, 3]."""
    scaled = pixels.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.movedim(-3, -1).to(torch.uint8).numpy()


def box_mask(boxes: np.ndarray, size: int, grow: float = 0.0) -> Tensor:
    """Boxes [..., 4] (x1, y1, x2, y2 pixels) -> float32 masks [..., size, size], 1 inside."""
    box = torch.from_numpy(np.array(boxes)).float()
    width, height = box[..., 2] - box[..., 0], box[..., 3] - box[..., 1]
    centre = torch.arange(size, dtype=torch.float32) + 0.5
    left, right = box[..., 0] - grow * width, box[..., 2] + grow * width
    top, bottom = box[..., 1] - grow * height, box[..., 3] + grow * height
    columns = (centre >= left[..., None]) & (centre <= right[..., None])
    rows = (centre >= top[..., None]) & (centre <= bottom[..., None])
    return (rows[..., :, None] & columns[..., None, :]).float()


def psnr(difference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB of each item of [B, 3, ..., H, W], range 2.

    `mask` [B, ..., H, W] restricts it to a region.
    """
    square = difference.float().square().mean(dim=1).flatten(1)
    if mask is None:
        error = square.mean(dim=1)
    else:
        weight = mask.flatten(1)
        error = (square * weight).sum(1) / weight.sum(1).clamp(min=1)
    return 10 * torch.log10(4.0 / error.clamp(min=1e-10))


def write_grid(path: Path, rows: list[np.ndarray], zoom: int = 2) -> None:
    """Write rows of uint8 pictures [N, H, W, 3] as one PNG, every pixel `zoom` times as large."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    longest = max(len(row) for row in rows)
    lines = []
    for row in rows:
        blank = np.zeros((longest - len(row), *row.shape[1:]), np.uint8)
        lines.append(np.concatenate([*row, *blank], axis=1))
    grid = np.concatenate(lines, axis=0).repeat(zoom, axis=0).repeat(zoom, axis=1)
    Image.fromarray(grid).save(path)
