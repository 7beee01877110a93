"""Classifier-free guidance with an identity: which branches run, and how their predictions combine.

Modes: `null` (learned nulls in the unconditional branch), `keep` (face in both), `base` (plain base
model as unconditional branch), `split` (separate weights for text and identity). Negative prompts
never carry identity tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.nn.injection.condition import IdentityCondition

GUIDANCE_MODES = ("null", "keep", "base", "split")


@dataclass(frozen=True)
class Branch:
    """One conditioning of the same latents: `text [B,L,D]` and an identity (None: plain base)."""

    text: Tensor
    condition: IdentityCondition | None


@dataclass(frozen=True)
class Texts:
    """Text embeddings `[B,L,D]`: with identity fused in, without, and the negative prompt's."""

    fused: Tensor
    plain: Tensor
    negative: Tensor | None


def check_guidance(mode: str, id_guidance_scale: float | None) -> None:
    """Raise `UserError` on an unknown mode, or an identity weight where no mode uses one."""
    if mode not in GUIDANCE_MODES:
        raise UserError(f"face_guidance is {mode!r}; choose one of {', '.join(GUIDANCE_MODES)}.")
    if id_guidance_scale is not None and mode != "split":
        raise UserError(
            "id_guidance_scale is used by face_guidance='split' only; leave one of them out."
        )


def plan_branches(
    mode: str,
    guided: bool,
    texts: Texts,
    condition: IdentityCondition,
    null: IdentityCondition,
) -> list[Branch]:
    """Branches of one step, the fully conditioned one last."""
    full = Branch(texts.fused, condition)
    if not guided:
        return [full]
    if mode == "keep":
        return [Branch(texts.negative, condition), full]
    if mode == "base":
        return [Branch(texts.negative, None), full]
    if mode == "split":
        return [Branch(texts.negative, null), Branch(texts.plain, null), full]
    return [Branch(texts.negative, null), full]


def base_branches(guided: bool, texts: Texts) -> list[Branch]:
    """Branches of a step before the identity enters (`face_start_step`)."""
    full = Branch(texts.plain, None)
    return [Branch(texts.negative, None), full] if guided else [full]


def combine(predictions: Sequence[Tensor], scale: float, id_scale: float | None = None) -> Tensor:
    """v of one to three branches: v_0 + w (v - v_0), or v_0 + w_txt (v_txt - v_0) + w_id (v -
    v_txt).
    """
    if len(predictions) == 1:
        return predictions[0]
    if len(predictions) == 2:
        return predictions[0] + scale * (predictions[1] - predictions[0])
    nothing, text, full = predictions
    weight = scale if id_scale is None else id_scale
    return nothing + scale * (text - nothing) + weight * (full - text)


def stack_conditions(conditions: Sequence[IdentityCondition]) -> IdentityCondition:
    """Conditions of several branches as one batch (identity tokens are left at the last one's)."""

    def cat(parts: Sequence[Tensor | None]) -> Tensor | None:
        return None if parts[0] is None else torch.cat(list(parts))

    return replace(
        conditions[-1],
        x_face=cat([c.x_face for c in conditions]),
        id_code=cat([c.id_code for c in conditions]),
    )


def expand_condition(condition: IdentityCondition, batch: int) -> IdentityCondition:
    """One identity for several prompts. Raises `UserError` when the rows match neither 1 nor
    `batch`.
    """
    rows = len(condition.mask)
    if rows == batch:
        return condition
    if rows != 1:
        raise UserError(
            f"{rows} identities for {batch} prompts; give one identity, or one for each."
        )

    return _each(condition, lambda x: x.expand(batch, *x.shape[1:]))


def repeat_condition(condition: IdentityCondition, times: int) -> IdentityCondition:
    """Every row `times` times, one beside the other: several clips of a prompt."""
    if times == 1:
        return condition
    return _each(condition, lambda x: x.repeat_interleave(times, dim=0))


def _each(condition: IdentityCondition, change: Callable[[Tensor], Tensor]) -> IdentityCondition:
    tensors = ((part.name, getattr(condition, part.name)) for part in fields(condition))
    return IdentityCondition(**{n: None if x is None else change(x) for n, x in tensors})
