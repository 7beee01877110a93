"""The refiners' model of the CogVideoX family: a backbone that hears tokens, or an identity.

Latents are those of diffusers' own video-to-video pipeline, `[1,T,C,h,w]`. A window has positions
of its own, as if it were a whole clip. Noise is drawn on the CPU from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mm_model.diffusion.frames import legal_frame_counts
from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError
from mm_model.generation.branches import BranchRunner, Scales
from mm_model.generation.guidance import Branch, Texts, combine, plan_branches
from mm_model.nn.cogvideox import folded_vae
from mm_model.refine.animated import without_subject
from mm_model.refine.port import left_of
from mm_model.vcd.animate import Take
from mm_model.vcd.tokens import IdTokens

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline
    from mm_model.nn.injection.condition import IdentityCondition
    from mm_model.vcd.cogvideox import CogVideoX

STRENGTHS = {"face": 0.6, "tiled": 0.25}
"""Weaker for a face than the published 0.8 (choice): latents that are alike over many frames keep
more of the clip at equal noise, and this schedule is noisier late."""


@dataclass(frozen=True, eq=False)
class Heard:
    """Branches of guidance where the subject is heard, and where it is not."""

    subject: list[Branch]
    plain: list[Branch]


@torch.no_grad()
def of_tokens(base: CogVideoX, asked: Take, tokens: IdTokens | None) -> Heard:
    """The prompt with a subject's tokens, and without them.

    Raises:
        UserError: the tokens do not fit the backbone or the prompt.
    """
    nothing = [Branch(base.words([asked.negative]), None)] if asked.guidance > 1 else []
    plain = Branch(base.words([without_subject(asked.prompt, tokens)]), None)
    return Heard([*nothing, Branch(base.words([asked.prompt], tokens), None)], [*nothing, plain])


@torch.no_grad()
def of_identity(
    pipe: MagicMirrorPipeline, asked: Take, identity: IdentityCondition, face_guidance: str
) -> Heard:
    """The prompt with Magic Mirror's identity, and with the learned null in its place.

    face_guidance: as in a call of the pipeline.

    Raises:
        UserError: the prompt has no word for the subject.
    """
    length = pipe.transformer.config.max_text_seq_length
    words, mask = pipe.encode_identity_prompt(asked.prompt, identity, length)
    fused = pipe.adapter.fuse_text(words, mask, identity, 1.0)
    null = pipe.adapter.null_condition(1, dtype=identity.x_id.dtype)
    guided, negative = asked.guidance > 1, None
    if guided:
        given = (1, length, pipe._execution_device, pipe.transformer.dtype)
        negative = pipe._get_t5_prompt_embeds([asked.negative], *given)
    return Heard(
        plan_branches(face_guidance, guided, Texts(fused, words, negative), identity, null),
        plan_branches(face_guidance, guided, Texts(words, words, negative), null, null),
    )


class CogRedrawer:
    """Redraws by a pipeline's transformer, VAE and solver; of `asked` the seed, steps, guidance and
    gamma count, and the frames that are given say how many there are and how large.
    """

    def __init__(self, pipe: MagicMirrorPipeline, asked: Take, heard: Heard) -> None:
        self._pipe, self._asked, self._heard = pipe, asked, heard
        self._scales = Scales(asked.guidance, None, 1.0, 1.0, 1.0)
        self._times: Tensor = torch.empty(0)
        self._runners: dict[tuple[bool, tuple[int, ...]], BranchRunner] = {}
        self._start_over()

    def _start_over(self) -> None:
        self._generator = torch.Generator("cpu").manual_seed(self._asked.seed)
        self._clean: Tensor | None = None
        self._before: Any = None

    @property
    def factor(self) -> int:
        """Pixels a side of a latent cell."""
        return int(self._pipe.vae_scale_factor_spatial)

    @property
    def unit(self) -> int:
        """Pixels a side of the transformer's patch."""
        return self.factor * int(self._pipe.transformer.config.patch_size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the grid that the transformer's positions were made for."""
        config = self._pipe.transformer.config
        return config.sample_height * self.factor, config.sample_width * self.factor

    @property
    def strengths(self) -> dict[str, float]:
        """What each step begins at where nobody says it."""
        return STRENGTHS

    def check(self, frames: int) -> int:
        """1 or 8k+1 frames, the next that the VAE can carry.

        Raises:
            UserError: more than the transformer was made for.
        """
        legal = legal_frame_counts(self._pipe.transformer.config.sample_frames)
        found = next((count for count in legal if count >= frames), None)
        if found is None or frames < 1:
            raise UserError(
                f"The clip has {frames} frames and this backbone redraws 1 to {legal[-1]}: cut "
                "the clip."
            )
        return found

    def times(self, strength: float) -> Sequence[Any]:
        """Times of the last floor(N s) of the N steps."""
        scheduler, steps = self._pipe.scheduler, self._asked.steps
        scheduler.set_timesteps(steps, device=self._pipe._execution_device)
        self._times = scheduler.timesteps[steps - left_of(steps, strength) :]
        self._runners.clear()
        return list(self._times)

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> Tensor:
        """The posterior's mode: no draw, so equal frames give equal latents."""
        vae = self._pipe.vae
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None]
        pixels = (pixels.float() / 127.5 - 1).to(self._pipe._execution_device, vae.dtype)
        found = folded_vae.encode_mode(vae, pixels) * vae.config.scaling_factor
        return found.permute(0, 2, 1, 3, 4).to(self._pipe.transformer.dtype)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]`."""
        shown = np.nan_to_num(np.asarray(self._pipe.to_frames(latents)[0])).clip(0, 1)
        return (shown * 255).round().astype(np.uint8)

    def noised(self, latents: Tensor, time: Any) -> Tensor:
        """The latents with the seed's noise, correlated over latent frames by gamma."""
        self._start_over()
        noise = torch.randn(latents.shape, generator=self._generator, dtype=latents.dtype)
        noise = correlate_frames(noise, self._asked.gamma).to(latents)
        return self._pipe.scheduler.add_noise(latents, noise, time[None])

    @torch.no_grad()
    def predict(self, latents: Tensor, time: Any, subject: bool) -> Tensor:
        """The guided velocity of latents `[1,T,C,h,w]`, in float32."""
        place = int((self._times == time).nonzero()[0])
        given = self._pipe.scheduler.scale_model_input(latents, time)
        said = self._runner(subject, given)(given, place)
        return combine(said, self._asked.guidance)

    def _runner(self, subject: bool, latents: Tensor) -> BranchRunner:
        key = subject, tuple(latents.shape)
        if key not in self._runners:
            branches = self._heard.subject if subject else self._heard.plain
            by = (self._times, latents, self._scales, None)
            self._runners[key] = BranchRunner(self._pipe, branches, *by)
        return self._runners[key]

    def step(self, prediction: Tensor, time: Any, latents: Tensor) -> Tensor:
        """One step of the backbone's own solver."""
        from diffusers import CogVideoXDPMScheduler

        scheduler = self._pipe.scheduler
        if not isinstance(scheduler, CogVideoXDPMScheduler):
            made = scheduler.step(prediction, time, latents, return_dict=False)[0]
            return made.to(latents.dtype)
        made, self._clean = scheduler.step(
            prediction,
            self._clean,
            time,
            self._before,
            latents,
            generator=self._generator,
            return_dict=False,
        )
        self._before = time
        return made.to(latents.dtype)
