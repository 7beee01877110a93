"""The port of a refiner's model: what draws given frames again, from their own latents.

Latents keep height and width as their last two dimensions; refiners know nothing else of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from mm_model.errors import UserError
from mm_model.facepack.port import Face

FindFaces = Callable[[np.ndarray], Sequence[Face]]
"""The faces of one picture, RGB uint8 `[H,W,3]`."""

Predict = Callable[[Tensor, Any], Tensor]
"""What a model says of latents at a time, in the latents' shape."""


class Redrawer(Protocol):
    """A video model with one prompt and, perhaps, one subject.

    size: height and width in pixels that it was made for. factor: pixels a side of a latent cell.
    unit: sides of frames are multiples of so many pixels. strengths: what each step of refining
    begins at where nobody says it, 0..1.
    """

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def factor(self) -> int: ...

    @property
    def unit(self) -> int: ...

    @property
    def strengths(self) -> Mapping[str, float]: ...

    def check(self, frames: int) -> int:
        """As how many frames a clip of `frames` is redrawn: as many, or the next that it can make.

        Raises:
            UserError: the model cannot redraw so many frames.
        """
        ...

    def times(self, strength: float) -> Sequence[Any]:
        """Times of the steps that are left when one begins at `strength`, noisiest first."""
        ...

    def encode(self, frames: np.ndarray) -> Tensor:
        """Latents of frames uint8 `[F,H,W,3]`; both sides are multiples of `unit`."""
        ...

    def decode(self, latents: Tensor) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]` of latents."""
        ...

    def noised(self, latents: Tensor, time: Any) -> Tensor:
        """The latents with the seed's noise of `time`."""
        ...

    def predict(self, latents: Tensor, time: Any, subject: bool) -> Tensor:
        """The guided prediction; without `subject` the prompt is heard without it."""
        ...

    def step(self, prediction: Tensor, time: Any, latents: Tensor) -> Tensor:
        """The latents one step cleaner."""
        ...


def left_of(steps: int, strength: float) -> int:
    """Steps that run of `steps`: those from index N - floor(N s) on.

    Raises:
        UserError: the strength lies outside 0 to 1.
    """
    if not 0.0 <= strength <= 1.0:
        raise UserError(f"The strength is {strength}: give a number from 0 to 1.")
    return math.floor(steps * strength + 1e-9)  # 0.29 of 100 steps is 29, not 28


def drawn_again(
    redrawer: Redrawer, frames: np.ndarray, strength: float, predict: Predict
) -> np.ndarray:
    """`frames [F,H,W,3]` redrawn; where the model makes more, the last one is repeated till then
    and cut off again.

    Raises:
        UserError: the model cannot redraw so many frames.
    """
    count = len(frames)
    rest = redrawer.check(count) - count
    longer = np.concatenate([frames, *[frames[-1:]] * rest]) if rest else frames
    return redrawer.decode(redrawn(redrawer, longer, strength, predict))[:count]


def redrawn(redrawer: Redrawer, frames: np.ndarray, strength: float, predict: Predict) -> Tensor:
    """Latents of `frames` noised as far as `strength` says and denoised by `predict` (SDEdit)."""
    times = redrawer.times(strength)
    latents = redrawer.noised(redrawer.encode(frames), times[0])
    for time in times:
        latents = redrawer.step(predict(latents, time), time, latents)
    return latents
