"""The refiners' model of the Stable Diffusion family: AnimateDiff with a learned subject.

Noise is drawn on the CPU from the seed, so that every device sees the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError
from mm_model.refine.port import left_of
from mm_model.vcd.animate import Animator, Take
from mm_model.vcd.tokens import IdTokens

STRENGTHS = {"face": 0.8, "tiled": 0.2}
"""Published denoising strengths."""


class AnimatedRedrawer:
    """Redraws by an animator's UNet, VAE and DDIM steps; latents are `[1,C,F,h,w]`.

    Of `asked` the frames that are given say how many there are and how large.
    """

    def __init__(self, animator: Animator, asked: Take, tokens: IdTokens | None = None) -> None:
        self._pipe, self._asked, self._side = animator.pipe, asked, animator.side
        self._longest = animator.longest
        base, self._guided = animator.base, asked.guidance > 1
        self._base = base
        with torch.no_grad():
            negative = [base.words([asked.negative])] if self._guided else []
            plain = without_subject(asked.prompt, tokens)
            self._words = {
                False: torch.cat([*negative, base.words([plain])]),
                True: torch.cat([*negative, base.words([asked.prompt], tokens)]),
            }

    @property
    def factor(self) -> int:
        """Pixels a side of a latent cell."""
        return int(self._pipe.vae_scale_factor)

    @property
    def unit(self) -> int:
        """The UNet takes any number of cells."""
        return self.factor

    @property
    def strengths(self) -> dict[str, float]:
        """The published ones."""
        return STRENGTHS

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the UNet was made for."""
        return self._side, self._side

    def check(self, frames: int) -> int:
        """As many as there are.

        Raises:
            UserError: more frames than the motion module knows.
        """
        if not 1 <= frames <= self._longest:
            raise UserError(
                f"The clip has {frames} frames and this motion module redraws 1 to "
                f"{self._longest}: cut the clip."
            )
        return frames

    def times(self, strength: float) -> Sequence[Any]:
        """Times of the last floor(N s) of the N steps."""
        scheduler = self._pipe.scheduler
        scheduler.set_timesteps(self._asked.steps, device=self._base.device)
        begin = self._asked.steps - left_of(self._asked.steps, strength)
        return list(scheduler.timesteps[begin:])

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> Tensor:
        """The posterior's mode, frame by frame: no draw, so equal frames give equal latents."""
        vae = self._base.vae
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        pixels = (pixels.float() / 127.5 - 1).to(self._base.device, vae.dtype)
        found = torch.cat([vae.encode(one).latent_dist.mode() for one in pixels.split(1)])
        return (found * vae.config.scaling_factor).permute(1, 0, 2, 3)[None]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]`, one by one."""
        made = self._pipe.decode_latents(latents.to(self._base.vae.dtype), decode_chunk_size=1)
        shown = self._pipe.video_processor.postprocess_video(made, output_type="np")[0]
        return (np.nan_to_num(shown) * 255).round().astype(np.uint8)

    def noised(self, latents: Tensor, time: Any) -> Tensor:
        """The latents with the seed's noise, correlated over frames by gamma."""
        generator = torch.Generator("cpu").manual_seed(self._asked.seed)
        noise = torch.randn(latents.shape, generator=generator)
        noise = correlate_frames(noise, self._asked.gamma, frame_dim=2).to(latents)
        return self._pipe.scheduler.add_noise(latents, noise, time[None])

    @torch.no_grad()
    def predict(self, latents: Tensor, time: Any, subject: bool) -> Tensor:
        """The guided prediction of latents `[1,C,F,h,w]`."""
        words = self._words[subject]
        given = self._pipe.scheduler.scale_model_input(torch.cat([latents] * len(words)), time)
        heard = words.to(latents.dtype).repeat_interleave(latents.shape[2], dim=0)
        said = self._pipe.unet(given, time, encoder_hidden_states=heard).sample
        if not self._guided:
            return said
        nothing, full = said.chunk(2)
        return nothing + self._asked.guidance * (full - nothing)

    def step(self, prediction: Tensor, time: Any, latents: Tensor) -> Tensor:
        """One DDIM step."""
        return self._pipe.scheduler.step(prediction, time, latents).prev_sample


def without_subject(prompt: str, tokens: IdTokens | None) -> str:
    """The prompt without the subject's placeholder."""
    return prompt if tokens is None else " ".join(prompt.replace(tokens.placeholder, "").split())
