"""A drawn face, a finder that sees it, and a model that paints what it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.refine.port import left_of

SIDE = 16


def noise(frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """A dark clip of noise: nothing in it is bright enough to be a face."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 200, (frames, height, width, 3), np.uint8)


def with_faces(clip: np.ndarray, corners: Sequence[tuple[int, int] | None]) -> np.ndarray:
    """`clip` with a white square of `SIDE` pixels at top, left of each frame."""
    clip = clip.copy()
    for frame, corner in zip(clip, corners, strict=True):
        if corner is not None:
            frame[corner[0] : corner[0] + SIDE, corner[1] : corner[1] + SIDE] = 255
    return clip


def face(x0: float, y0: float, x1: float, y1: float) -> Face:
    """A face of that box."""
    return Face(np.array([x0, y0, x1, y1], np.float32), 0.9, np.zeros((5, 2), np.float32))


def find(picture: np.ndarray) -> list[Face]:
    """The white square of `with_faces`."""
    rows, columns = np.nonzero((picture == 255).all(-1))
    if not len(rows):
        return []
    return [face(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


@dataclass
class Painter:
    """Latents are mean cells; with the subject it predicts 1, without it 0; one step takes it."""

    size: tuple[int, int] = (32, 32)
    factor: int = 4
    longest: int = 16
    multiple: int = 1
    asked: list[tuple[tuple[int, ...], bool]] = field(default_factory=list)
    ran: int = 0

    @property
    def unit(self) -> int:
        return self.factor

    @property
    def strengths(self) -> dict[str, float]:
        return {"face": 0.8, "tiled": 0.2}

    def check(self, frames: int) -> int:
        if frames > self.longest:
            raise UserError(f"{frames} frames are too many")
        return -(-frames // self.multiple) * self.multiple

    def times(self, strength: float) -> list[int]:
        return list(range(left_of(10, strength)))

    def encode(self, frames: np.ndarray) -> Tensor:
        self.ran += 1
        count, high, wide, _ = frames.shape
        assert high % self.factor == 0 and wide % self.factor == 0
        cells = frames.reshape(count, high // self.factor, self.factor, -1, self.factor, 3)
        return torch.from_numpy(cells.mean((2, 4)) / 255).permute(3, 0, 1, 2)[None].float()

    def decode(self, latents: Tensor) -> np.ndarray:
        frames = latents[0].permute(1, 2, 3, 0).clamp(0, 1).numpy() * 255
        return frames.round().astype(np.uint8).repeat(self.factor, 1).repeat(self.factor, 2)

    def noised(self, latents: Tensor, time: Any) -> Tensor:
        return latents

    def predict(self, latents: Tensor, time: Any, subject: bool) -> Tensor:
        self.asked.append((tuple(latents.shape), subject))
        return torch.full_like(latents, float(subject))

    def step(self, prediction: Tensor, time: Any, latents: Tensor) -> Tensor:
        return prediction
