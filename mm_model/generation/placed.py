"""CogVideoX's pipeline with a text encoder that may wait elsewhere than the other parts."""

from __future__ import annotations

import torch
from diffusers import CogVideoXPipeline
from torch import Tensor


class PlacedPipeline(CogVideoXPipeline):
    """The stock pipeline. Where `samples_on` is set the text encoder works where it lies, and all
    else on that device; where it is None all lie together, as in stock.
    """

    samples_on: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """As in diffusers, or `samples_on`."""
        return super().device if self.samples_on is None else self.samples_on

    def _get_t5_prompt_embeds(
        self,
        prompt: str | list[str] | None = None,
        num_videos_per_prompt: int = 1,
        max_sequence_length: int = 226,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        given = (prompt, num_videos_per_prompt, max_sequence_length)
        if self.samples_on is None:
            return super()._get_t5_prompt_embeds(*given, device, dtype)
        said = super()._get_t5_prompt_embeds(*given, self.text_encoder.device, dtype)
        return said.to(self.samples_on)
