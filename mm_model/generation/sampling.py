"""The sampling loop with an identity: CogVideoX's own, step by step, over several branches.

Scheduler calls, callback protocol and progress are the stock pipeline's; only what predicts v is
ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.pipelines.cogvideo.pipeline_cogvideox import retrieve_timesteps
from torch import Tensor

from mm_model.errors import UserError
from mm_model.generation import plausible
from mm_model.generation.asked import Asked
from mm_model.generation.branches import BranchRunner, Scales
from mm_model.generation.guidance import Texts, base_branches, combine, plan_branches
from mm_model.nn.injection.condition import IdentityCondition
from mm_model.nn.parts import Keywords

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline


class Sampler:
    """One call's loop; `run` takes noise to latents."""

    def __init__(
        self,
        pipe: MagicMirrorPipeline,
        asked: Asked,
        latents: Tensor,
        texts: Texts,
        identity: IdentityCondition,
    ) -> None:
        self.pipe, self.asked, self.latents = pipe, asked, latents
        guided = asked.guided
        self.timesteps, self.steps = retrieve_timesteps(
            pipe.scheduler, asked.num_inference_steps, latents.device, asked.timesteps
        )
        if asked.timesteps is not None:
            self.steps = len(self.timesteps)
        pipe._num_timesteps = len(self.timesteps)
        self.id_guidance = asked.id_guidance_scale
        scales = Scales(
            asked.guidance_scale, self.id_guidance, asked.id_scale, asked.ca_scale, asked.can_scale
        )
        null = pipe.adapter.null_condition(len(latents), dtype=identity.x_id.dtype)
        given = (self.timesteps, latents, scales, asked.attention_kwargs)
        branches = plan_branches(asked.face_guidance, guided, texts, identity, null)
        self.runner = BranchRunner(pipe, branches, *given)
        self.early = None
        if asked.face_start_step > 0:
            self.early = BranchRunner(pipe, base_branches(guided, texts), *given)
        self.dtype = texts.plain.dtype

    def run(self) -> Tensor:
        """Latents `[B,T,C,h,w]` after the last step, or after the one that set `_interrupt`."""
        pipe, asked = self.pipe, self.asked
        pipe._guidance_scale, pipe._attention_kwargs = asked.guidance_scale, asked.attention_kwargs
        pipe._current_timestep, pipe._interrupt = None, False
        extra = pipe.prepare_extra_step_kwargs(asked.generator, asked.eta)
        order = pipe.scheduler.order
        warm_up = max(len(self.timesteps) - self.steps * order, 0)
        previous = None
        with pipe.progress_bar(total=self.steps) as progress:
            for index, t in enumerate(self.timesteps):
                if pipe.interrupt:
                    continue
                pipe._current_timestep = t
                velocity = self._velocity(index, t)
                previous = self._step(velocity, index, previous, extra)
                if asked.callback_on_step_end is not None:
                    self._call_back(asked.callback_on_step_end, index, t)
                done = index + 1
                if done == len(self.timesteps) or (done > warm_up and done % order == 0):
                    progress.update()
        pipe._current_timestep = None
        return self.latents

    def _velocity(self, index: int, t: Tensor) -> Tensor:
        """The guided prediction; a guidance that a callback changed counts."""
        pipe, asked = self.pipe, self.asked
        current = self.runner
        if self.early is not None and index < asked.face_start_step:
            current = self.early
        predictions = current(pipe.scheduler.scale_model_input(self.latents, t), index)
        if asked.use_dynamic_cfg:
            left = (self.steps - t.item()) / self.steps
            rise = (1 - math.cos(math.pi * left**5.0)) / 2
            pipe._guidance_scale = 1 + asked.guidance_scale * rise
        return combine(predictions, pipe.guidance_scale, self.id_guidance)

    def _step(
        self, velocity: Tensor, index: int, previous: Tensor | None, extra: Keywords
    ) -> Tensor | None:
        """One solver step; returns what the next one needs to know of it."""
        scheduler, t = self.pipe.scheduler, self.timesteps[index]
        if isinstance(scheduler, CogVideoXDPMScheduler):
            before = self.timesteps[index - 1] if index > 0 else None
            stepped, previous = scheduler.step(
                velocity, previous, t, before, self.latents, **extra, return_dict=False
            )
        else:
            stepped = scheduler.step(velocity, t, self.latents, **extra, return_dict=False)[0]
        self.latents = stepped.to(self.dtype)
        return previous

    def _call_back(self, tell: Callable[..., Keywords], index: int, t: Tensor) -> None:
        """Tell the callback of the step, and take over the tensors that it gives back.

        `prompt_embeds` holds the texts of all branches, the conditional one last, as in stock.
        """
        runner, asked = self.runner, self.asked
        rows = len(self.latents)
        first = runner.texts[:rows] if asked.guided else None
        shown = {
            "latents": self.latents,
            "prompt_embeds": runner.texts,
            "negative_prompt_embeds": first,
        }
        told = {name: shown[name] for name in asked.watched}
        given = tell(self.pipe, index, t, told)
        if given is not None and not isinstance(given, dict):
            raise UserError(
                f"The callback gave back {plausible.shown(given)}; give back a dict of the tensors "
                "that change, or nothing."
            )
        given = given or {}
        self.latents = plausible.taken(given, "latents", self.latents)
        texts = plausible.taken(given, "prompt_embeds", runner.texts)
        if first is not None and given.get("negative_prompt_embeds") is not None:
            negative = plausible.taken(given, "negative_prompt_embeds", first)
            texts = texts if negative is first else torch.cat([negative, texts[rows:]])
        runner.texts = texts
