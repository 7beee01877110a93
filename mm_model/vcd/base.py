"""What a subject's tokens are learned on: the port of Stable Diffusion and CogVideoX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mm_model.settings.subject import SubjectSettings
from mm_model.vcd.tokens import IdTokens

CAPTION = "photo of a {} {}"
"""Placeholder and class word stand in it; what a view's prefix says comes before them."""


@dataclass(frozen=True, eq=False)
class StartRows:
    """Vectors `rows [V,width]` that tokens may start from, and which of them are the class word."""

    rows: Tensor
    word: Sequence[int]


@dataclass(frozen=True)
class BaseValues:
    """How one base takes the section: pixels a side of its pictures, learning rate and offset."""

    size: int
    learning_rate: float
    noise_offset: float


class SubjectBase(Protocol):
    """Frozen networks that predict the noise, or the velocity, of one picture and a sentence.

    `family` names what its tokens fit. `timesteps` is the number of those that it was trained with.
    """

    @property
    def family(self) -> str: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def timesteps(self) -> int: ...

    def chosen(self, settings: SubjectSettings, start: StartRows) -> BaseValues:
        """The section's values as they hold here."""
        ...

    def start(self, word: str) -> StartRows:
        """Where tokens before the class word `word` may start."""
        ...

    def words(self, prompts: list[str], tokens: IdTokens | None = None) -> Tensor:
        """What the network hears of prompts, `[B,L,width]`; gradients reach the tokens' vectors.

        Raises:
            UserError: the tokens are of another width, or do not stand in a prompt once.
        """
        ...

    def latents(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Scaled latents `[B,C,h,w]`, sampled, of `pixels [B,3,S,S]` in -1..1."""
        ...

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """`latents` with `noise`, both `[B,C,h,w]`, at `times [B]`."""
        ...

    def predict(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """The network's prediction `[B,C,h,w]`."""
        ...

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What a perfect one would have predicted, `[B,C,h,w]`."""
        ...
