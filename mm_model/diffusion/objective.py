"""The training objective: velocity loss on a region chosen per sample, plus the identity loss.

L = |v_hat - v|^2 (+ lambda L_id). The region is drawn sample by sample with an explicit generator.
No model is called here except through the functions the caller hands in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VelocityLoss:
    """`loss` (scalar), `per_sample [B]`, and `masked [B]` True where the face region was used."""

    loss: Tensor
    per_sample: Tensor
    masked: Tensor


def draw_face_samples(batch: int, generator: torch.Generator, probability: float) -> Tensor:
    """`[batch]` booleans: use the face-area loss for this sample (paper: p = 0.5)."""
    draw = torch.rand(batch, generator=generator, device=generator.device)
    return draw < probability


def velocity_loss(
    v_hat: Tensor, v: Tensor, mask: Tensor | None = None, use_mask: Tensor | None = None
) -> VelocityLoss:
    """Squared error of `v_hat [B,T,C,h,w]`, per sample on its mask `[B,T,h,w]` or everywhere.

    With mask: sum(M (v_hat - v)^2) / (C sum M) of that sample alone, so a large face does not
    dominate; an empty mask falls back to the plain mean. `use_mask [B]` chooses the samples.
    """
    error = (v_hat.float() - v.float()).square()
    plain = error.flatten(1).mean(dim=1)
    if mask is None or use_mask is None:
        return VelocityLoss(plain.mean(), plain, torch.zeros_like(plain, dtype=torch.bool))
    weight = mask.to(error.device, error.dtype)
    area = weight.flatten(1).sum(dim=1)
    masked = use_mask.to(error.device, torch.bool) & (area > 0)
    inside = (error * weight[:, :, None]).flatten(1).sum(dim=1)
    inside = inside / (error.shape[2] * area).clamp(min=1e-12)
    per_sample = torch.where(masked, inside, plain)
    return VelocityLoss(per_sample.mean(), per_sample, masked)


@dataclass(frozen=True)
class ConditionDrops:
    """`text [B]`, `identity [B]` booleans: which conditions a sample loses in training."""

    text: Tensor
    identity: Tensor


def draw_drops(
    batch: int,
    generator: torch.Generator,
    *,
    text: float,
    identity: float,
    both: float,
) -> ConditionDrops:
    """Condition dropping for guidance (choice): text only, identity only, or both.

    The three events exclude each other, with the given probabilities.
    """
    draw = torch.rand(batch, generator=generator, device=generator.device)
    both_mask = draw < both
    text_mask = (draw >= both) & (draw < both + text)
    id_mask = (draw >= both + text) & (draw < both + text + identity)
    return ConditionDrops(text_mask | both_mask, id_mask | both_mask)
