"""Clips of a learned subject on a CogVideoX backbone, by the project's own pipeline.

Noise may be correlated over latent frames (Magic-Me, section 4.1; over latent frames: a choice).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mm_model.diffusion.frames import check_frame_count
from mm_model.errors import UserError
from mm_model.generation import memory
from mm_model.generation.clips import telling
from mm_model.progress import OnStep
from mm_model.settings.device import device_of
from mm_model.vcd.animate import Take
from mm_model.vcd.bases import open_backbone
from mm_model.vcd.cogvideox import CogVideoX
from mm_model.vcd.tokens import IdTokens

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline
    from mm_model.settings import Profile


class CogAnimator:
    """A backbone on one device; any subject that was learned on its family may be shown."""

    def __init__(self, base: CogVideoX) -> None:
        from mm_model.generation.pipeline import MagicMirrorPipeline

        self.base = base
        self._pipe = MagicMirrorPipeline(
            tokenizer=base.tokenizer,
            text_encoder=base.text_encoder,
            vae=base.vae,
            transformer=base.transformer,
            scheduler=base.scheduler,
        )
        self._pipe.samples_on = base.device
        self._pipe.set_progress_bar_config(disable=True)

    @property
    def pipe(self) -> MagicMirrorPipeline:
        """The pipeline itself, for who runs its parts step by step."""
        return self._pipe

    def spare(self, device: torch.device) -> None:
        """Work on `device` in little memory; the backbone was loaded on the CPU."""
        self._pipe.samples_on = None  # hooks say where
        memory.spare(self._pipe, device)

    @torch.no_grad()
    def clip(
        self, take: Take, tokens: IdTokens | None = None, on_step: OnStep | None = None
    ) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]`; without `tokens`, of the prompt alone.

        `take.gamma` correlates latent frames, of which the first is one frame and each other four.

        Raises:
            UserError: a number of frames or a size that the backbone cannot make, or tokens that do
                not fit it or its prompt.
        """
        self._refuse(take)
        guided = take.guidance > 1
        made = self._pipe(
            prompt_embeds=self.base.words([take.prompt], tokens),
            negative_prompt_embeds=self.base.words([take.negative]) if guided else None,
            num_frames=take.frames,
            height=take.height,
            width=take.width,
            num_inference_steps=take.steps,
            guidance_scale=take.guidance,
            generator=torch.Generator("cpu").manual_seed(take.seed),
            noise_prior_gamma=take.gamma,
            output_type="latent",
            callback_on_step_end=telling(on_step, 0, take.steps),
        ).frames
        frames = np.nan_to_num(np.asarray(self._pipe.to_frames(made)[0])).clip(0, 1)
        return (frames * 255).round().astype(np.uint8)

    def _refuse(self, take: Take) -> None:
        config = self._pipe.transformer.config
        check_frame_count(take.frames, config.sample_frames)
        unit = self._pipe.vae_scale_factor_spatial * config.patch_size
        if take.height % unit or take.width % unit or min(take.height, take.width) < unit:
            raise UserError(
                f"{take.width}x{take.height} pixels were asked for: give multiples of {unit}."
            )


def load_cog_animator(
    folder: Path, profile: Profile, space: str | None = None, low_memory: bool = False
) -> CogAnimator:
    """The backbone of `folder` as the profile runs it, for subjects learned in `space`.

    space: `output` or `input`, as `subject.json` says; the profile's where it is None.

    Raises:
        UserError: it is no CogVideoX backbone, or not whole.
    """
    if not low_memory:
        return CogAnimator(open_backbone(folder, profile, space))
    waiting = profile.model_copy(update={"run": profile.run.model_copy(update={"device": "cpu"})})
    animator = CogAnimator(open_backbone(folder, waiting, space))
    animator.spare(device_of(profile.run))
    return animator
