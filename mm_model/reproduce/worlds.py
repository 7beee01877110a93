"""Two ways in which the same people may be shown: what a set of pictures looks like as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class World:
    """`gains` of red, green and blue, the camera's `blur` in pixels, and the `pace` of motion.

    At pace 0.5 a clip shows the first half of what happens, at half of its speed.
    """

    name: str
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: float = 0.0
    pace: float = 1.0

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """uint8 `[F,H,W,3]` as they look here."""
        if self.blur:
            frames = np.stack([cv2.GaussianBlur(one, (0, 0), self.blur) for one in frames])
        scaled = frames.astype(np.float32) * np.asarray(self.gains, np.float32)
        return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)

    def order(self, frames: int) -> list[int]:
        """Which frames of a clip drawn at full pace are shown, one after the other."""
        return [int(self.pace * number) for number in range(frames)]


DAY = World("day")
DUSK = World("dusk", gains=(0.5, 0.6, 0.9), blur=0.9, pace=0.5)
