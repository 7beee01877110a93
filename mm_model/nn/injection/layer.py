"""A module behind a block of the transformer: the place in the blocks that any way in may use.

Magic Mirror's own layers reach deeper, into a block's modulation and attention: see
`mm_model.nn.magic_mirror.block`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class AfterBlock(nn.Module, ABC):
    """Adds what the identity has to say to the video tokens that leave a block."""

    @abstractmethod
    def forward(self, video: Tensor, tokens: Tensor, scale: float) -> Tensor:
        """`video [B,V,d]`, the condition's `x_face` as `tokens [B,F,c]` -> video `[B,V,d]`.

        At `scale` 0 it must give `video` back: then the identity is switched off.
        """
