"""Running the guidance branches of one sampling step through the transformer.

Branches with an identity share one batched call, branches of the plain base another. What depends
on time and identity only comes from a modulation table built once a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mm_model.generation import caches
from mm_model.generation.guidance import Branch, stack_conditions
from mm_model.nn.parts import Keywords

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline


@dataclass(frozen=True)
class Scales:
    """Strengths of one call: guidance weights, identity as a whole, cross-attention, CAN."""

    guidance: float
    id_guidance: float | None
    identity: float
    ca: float
    can: float


class BranchRunner:
    """Predicts v of all branches of a step: one call with identity, one without.

    `texts [K*B,L,D]` are the texts of all K branches, one branch after the other; they may be
    exchanged between steps.
    """

    def __init__(
        self,
        pipe: MagicMirrorPipeline,
        branches: list[Branch],
        timesteps: Tensor,
        latents: Tensor,
        scales: Scales,
        attention_kwargs: Keywords | None,
    ) -> None:
        self.pipe, self.branches, self.timesteps = pipe, branches, timesteps
        self.scales, self.attention_kwargs = scales, attention_kwargs
        self.texts = torch.cat([branch.text for branch in branches])
        self.with_identity = [i for i, b in enumerate(branches) if b.condition is not None]
        self.without = [i for i, b in enumerate(branches) if b.condition is None]
        height, width = (side * pipe.vae_scale_factor_spatial for side in latents.shape[-2:])
        self.rotary = None
        if pipe.transformer.config.use_rotary_positional_embeddings:
            self.rotary = pipe._prepare_rotary_positional_embeddings(
                height, width, latents.size(1), latents.device
            )
        self.inputs: Keywords = {}
        self.table = None
        if self.with_identity:
            stacked = stack_conditions([b.condition for b in branches if b.condition is not None])
            given = stacked.transformer_inputs().items()
            self.inputs = {name: value for name, value in given if value is not None}
            if pipe.modulation_tables and caches.allow_tables(pipe.transformer):
                self.table = pipe.transformer.modulation_table(
                    timesteps, stacked.id_code, scales.identity * scales.can
                )

    def __call__(self, latents: Tensor, index: int) -> list[Tensor]:
        """v of each branch, in order, as float32 `[B,T,C,h,w]`."""
        out: dict[int, Tensor] = {}
        identity = {
            **self.inputs,
            "id_scale": self.scales.identity,
            "ca_scale": self.scales.ca,
            "can_scale": self.scales.can,
            "modulation": self.table.step(index) if self.table is not None else None,
        }
        texts = self.texts.chunk(len(self.branches))
        for rows, extra in ((self.without, {}), (self.with_identity, identity)):
            if not rows:
                continue
            text = torch.cat([texts[i] for i in rows])
            model_input = torch.cat([latents] * len(rows))
            with self.pipe.transformer.cache_context(self._name(rows)):
                prediction = self.pipe.transformer(
                    hidden_states=model_input,
                    encoder_hidden_states=text,
                    timestep=self.timesteps[index].expand(len(model_input)),
                    image_rotary_emb=self.rotary,
                    attention_kwargs=self.attention_kwargs,
                    return_dict=False,
                    **extra,
                )[0]
            out.update(zip(rows, prediction.float().chunk(len(rows)), strict=True))
        return [out[i] for i in range(len(self.branches))]

    def _name(self, rows: list[int]) -> str:
        """What a cache tells this call from others by: it must never mix theirs with it."""
        if rows is self.with_identity:
            return "cond_uncond"
        return "base" if self.with_identity else "early"
