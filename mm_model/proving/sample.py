"""A drawn person as reference and as target: nobody real is shown, and no detector is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.port import Face

PROMPT, EMPTY = "a man img walks", ""
_MAN = 0
"""A person's seed whose category is the word of the prompt."""


@dataclass(frozen=True, eq=False)
class DrawnSample:
    """`picture` uint8 `[H,W,3]` and the `face` in it: a square picture between black borders."""

    picture: np.ndarray
    face: Face

    @property
    def pixels(self) -> Tensor:
        """As the VAE takes it: `[1,3,1,H,W]` in [-1,1]."""
        values = torch.from_numpy(self.picture.astype(np.float32)) / 127.5 - 1.0
        return values.permute(2, 0, 1)[None, :, None]

    @property
    def landmarks(self) -> Tensor:
        """`[1,5,2]` in pixels."""
        return torch.from_numpy(self.face.landmarks)[None].float()

    @property
    def box(self) -> Tensor:
        """`[1,4]` in pixels."""
        return torch.from_numpy(self.face.box)[None].float()


def drawn(height: int, width: int, seed: int) -> DrawnSample:
    """A picture of the drawn man of `height` x `width` pixels; `seed` chooses pose and light."""
    side = min(height, width)
    frame = photograph(person(_MAN), np.random.default_rng(seed), side)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    canvas[top : top + side, left : left + side] = frame.image
    face = Face(frame.box.astype(np.float32), 1.0, frame.landmarks.astype(np.float32))
    return DrawnSample(canvas, face.moved(left, top))
