"""Clips of a learned subject: a Stable Diffusion checkpoint with AnimateDiff's motion module.

The loop is diffusers' own. Noise is drawn on the CPU from the seed and may be correlated over
frames (Magic-Me, section 4.1). Source: Magic-Me (arXiv 2402.09368); its clips have 16 frames.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError, first_line
from mm_model.generation.clips import telling
from mm_model.nn.networks import load_network, without_bars
from mm_model.progress import OnStep
from mm_model.vcd.motion_file import load_motion_file
from mm_model.vcd.single_file import load_single_file
from mm_model.vcd.stable_diffusion import StableDiffusion, load_checkpoint
from mm_model.vcd.tokens import IdTokens

FRAMES, FPS, STEPS, GUIDANCE = 16, 8, 20, 8.0
MOST_STEPS, MOST_GUIDANCE = 1000, 50
"""Beyond these nothing is gained: the schedule has so many steps (choice for guidance)."""

MOST_SEED = 2**32 - 1
"""As in a server's requests."""


@dataclass(frozen=True)
class Take:
    """One clip: `frames` of `height` x `width` pixels, of one prompt from the noise of one seed.

    gamma: correlation of neighbouring frames' noise, 0..1; more is steadier and moves less.
    """

    prompt: str
    seed: int
    _: KW_ONLY
    frames: int = FRAMES
    height: int = 512
    width: int = 512
    steps: int = STEPS
    guidance: float = GUIDANCE
    gamma: float = 0.0
    negative: str = ""

    def __post_init__(self) -> None:
        """Raises `UserError` on numbers that no checkpoint can follow."""
        if not 0 <= self.seed <= MOST_SEED:
            raise UserError(f"seed is {self.seed}: give 0 to {MOST_SEED}.")
        if not 0 <= self.gamma <= 1:
            raise UserError(f"gamma is {self.gamma}: it lies between 0 and 1.")
        if not 1 <= self.steps <= MOST_STEPS:
            raise UserError(f"{self.steps} steps were asked for: give 1 to {MOST_STEPS}.")
        if not 0 <= self.guidance <= MOST_GUIDANCE:
            raise UserError(f"guidance is {self.guidance}: give 0 to {MOST_GUIDANCE}.")


class Animator:
    """A checkpoint and a motion module on one device; any subject of the family may be shown."""

    def __init__(self, base: StableDiffusion, motion: Any) -> None:
        from diffusers import AnimateDiffPipeline, DDIMScheduler

        config = {**base.scheduler.config, "beta_schedule": "linear", "clip_sample": False}
        with without_bars():
            self._pipe = AnimateDiffPipeline(
                vae=base.vae,
                text_encoder=base.text_encoder,
                tokenizer=base.tokenizer,
                unet=base.unet,
                motion_adapter=motion,
                scheduler=DDIMScheduler.from_config(
                    config, timestep_spacing="linspace", steps_offset=1
                ),
            )
        # the motion UNet has taken the weights over; the plain one would stay in memory beside it
        self.base = replace(base, unet=self._pipe.unet)
        # torch's own `to`: that of the library warns of nothing
        torch.nn.Module.to(self._pipe.unet, base.device, base.unet.dtype).requires_grad_(False)
        self._pipe.set_progress_bar_config(disable=True)
        self._longest = int(motion.config.motion_max_seq_length)

    @property
    def side(self) -> int:
        """Pixels a side that the checkpoint was made for."""
        return int(self._pipe.unet.config.sample_size) * self._pipe.vae_scale_factor

    @property
    def frames(self) -> int:
        """Frames of a clip where none are asked for: the paper's 16, or all that can be made."""
        return min(FRAMES, self._longest)

    @property
    def pipe(self) -> Any:
        """The library's pipeline, for who runs its parts step by step."""
        return self._pipe

    @property
    def longest(self) -> int:
        """Frames that the motion module knows."""
        return self._longest

    @torch.no_grad()
    def clip(
        self, take: Take, tokens: IdTokens | None = None, on_step: OnStep | None = None
    ) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]`; without `tokens`, of the prompt alone.

        Raises:
            UserError: more frames than the motion module knows, or a size that the VAE cannot make.
        """
        self._refuse(take)
        pipe, factor = self._pipe, self._pipe.vae_scale_factor
        shape = (1, pipe.unet.config.in_channels, take.frames)
        noise = torch.randn(
            *shape,
            take.height // factor,
            take.width // factor,
            generator=torch.Generator("cpu").manual_seed(take.seed),
        )
        guided = take.guidance > 1
        made = pipe(
            prompt_embeds=self.base.words([take.prompt], tokens),
            negative_prompt_embeds=self.base.words([take.negative]) if guided else None,
            num_frames=take.frames,
            height=take.height,
            width=take.width,
            num_inference_steps=take.steps,
            guidance_scale=take.guidance,
            latents=correlate_frames(noise, take.gamma, frame_dim=2).to(pipe.unet.dtype),
            output_type="np",
            callback_on_step_end=telling(on_step, 0, take.steps),
        ).frames[0]
        return (np.asarray(made) * 255).round().astype(np.uint8)

    def _refuse(self, take: Take) -> None:
        if not 1 <= take.frames <= self._longest:
            raise UserError(
                f"{take.frames} frames were asked for: this motion module makes 1 to "
                f"{self._longest}."
            )
        factor = self._pipe.vae_scale_factor
        if take.height % factor or take.width % factor or min(take.height, take.width) < factor:
            raise UserError(
                f"{take.height}x{take.width} pixels were asked for: give multiples of {factor}."
            )


def load_animator(
    checkpoint: Path,
    motion: Path,
    device: torch.device,
    dtype: torch.dtype,
    like: Path | None = None,
) -> Animator:
    """The checkpoint of `checkpoint` with the motion module of `motion`, both in diffusers' layout
    or in one file; sizes and words of such a checkpoint are those of the checkpoint `like`.

    Raises:
        UserError: one is missing, damaged, or does not fit the other.
    """
    if checkpoint.is_file():
        if like is None:
            raise UserError(
                f"{checkpoint} is one file, and says nothing of its sizes and words: name a "
                "folder in diffusers' layout, or a subject that was learned on one."
            )
        base = load_single_file(checkpoint, like, device, dtype)
    else:
        base = load_checkpoint(checkpoint, device, dtype)
    if motion.is_file():
        module = load_motion_file(motion, dtype)
    elif motion.is_dir():
        module = load_network(motion, ("diffusers", "MotionAdapter"), dtype, "motion module")
    else:
        raise UserError(
            f"{motion} is not there: name a motion module, a folder in diffusers' layout "
            "(config.json and safetensors) or one file."
        )
    try:
        return Animator(base, module.to(device))
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{motion} does not fit the UNet of {checkpoint}: {first_line(error)}: use one for "
            "Stable Diffusion 1.5."
        ) from error
