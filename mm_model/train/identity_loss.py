"""Identity loss: 1 - cos between the reference's embedding and that of the decoded clean estimate.

Only samples with enough signal (alpha-bar at or above a threshold) are decoded, and of them only a
window around the face in the first latent frame. Decoder and recogniser stay frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mm_model.diffusion.face_mask import box_to_cells
from mm_model.errors import UserError
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.identity.align import align_faces
from mm_model.nn.identity.recognizer import FaceEmbedder, unit

ALPHA_BAR_MINIMUM = 0.5
MARGIN = 0.5
MINIMUM_CELLS = 16


@dataclass(frozen=True)
class IdentityLoss:
    """`loss` (scalar, 0 without samples), `used [B]` booleans, `cosine [used]` (detached)."""

    loss: Tensor
    used: Tensor
    cosine: Tensor


def identity_window(
    box: Tensor, latent_size: tuple[int, int], factor: int = 8, margin: float = MARGIN
) -> tuple[int, int, int, int]:
    """Latent window (left, top, right, bottom) around a pixel box, grown by `margin` of its size.

    Sides are even and at least 16 cells where the grid is that large.
    """
    height, width = latent_size
    x0, y0, x1, y1 = (float(v) for v in box)
    dx, dy = (x1 - x0) * margin / 2, (y1 - y0) * margin / 2
    left, top, right, bottom = box_to_cells(
        (x0 - dx, y0 - dy, x1 + dx, y1 + dy), factor, height, width
    )
    left, right = _widen(left, right, width)
    top, bottom = _widen(top, bottom, height)
    return left, top, right, bottom


def _widen(low: int, high: int, limit: int) -> tuple[int, int]:
    """Grow [low, high) to an even length of at least 16 inside [0, limit)."""
    length = max(high - low, MINIMUM_CELLS)
    length = min(length + length % 2, limit)
    low = min(max(0, (low + high - length) // 2), limit - length)
    return low, low + length


def cosine_loss(embedding: Tensor, reference: Tensor) -> Tensor:
    """1 - cos `[N]` of raw embeddings `[N,E]`, in [0, 2]; 0 for equal directions."""
    return 1.0 - (unit(embedding) * unit(reference)).sum(dim=-1)


def select_samples(alpha_bar: Tensor, valid: Tensor, minimum: float = ALPHA_BAR_MINIMUM) -> Tensor:
    """`[B]` booleans: landmarks are known and the clean estimate carries enough signal."""
    return (alpha_bar >= minimum) & valid.to(alpha_bar.device, torch.bool)


def identity_loss(
    x0_hat: Tensor,
    alpha_bar: Tensor,
    *,
    landmarks: Tensor,
    boxes: Tensor,
    valid: Tensor,
    reference: Tensor,
    vae: Any,
    recognizer: FaceEmbedder,
    minimum: float = ALPHA_BAR_MINIMUM,
) -> IdentityLoss:
    """Weighted mean over usable samples of alpha-bar * (1 - cos).

    `x0_hat [B,T,C,h,w]` scaled latents, `alpha_bar [B]`, `landmarks [B,5,2]` and `boxes [B,4]` of
    frame 0 in pixels, `valid [B]`, `reference [B,E]` raw embeddings. `vae` and `recognizer` must be
    frozen. Decodes latent frame 0 of each usable sample; nothing is decoded when none is usable.

    Raises:
        UserError: `x0_hat` is to be learned from, but the recogniser gives no gradient.
    """
    used = select_samples(alpha_bar, valid, minimum)
    rows = used.nonzero().flatten().tolist()
    if not rows:
        zero = x0_hat.new_zeros((), dtype=torch.float32)
        return IdentityLoss(zero, used, zero.detach().reshape(1)[:0])
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    faces = []
    for row in rows:
        window = identity_window(boxes[row], tuple(x0_hat.shape[-2:]), factor)
        image = decode_window(vae, x0_hat[row, 0], window)
        offset = torch.tensor(window[:2], dtype=landmarks.dtype, device=landmarks.device) * factor
        faces.append(align_faces(image, (landmarks[row] - offset)[None]))
    embedding = recognizer.embed(torch.cat(faces).clamp(-1.0, 1.0))
    if torch.is_grad_enabled() and x0_hat.requires_grad and not embedding.requires_grad:
        raise UserError(
            f"The identity loss gives no gradient, because {type(recognizer).__name__} cannot be "
            "differentiated: set identity_loss_weight to 0, or use a torch recogniser."
        )
    loss = cosine_loss(embedding, reference[used].to(embedding.device))
    weight = alpha_bar[used].to(loss.device)
    return IdentityLoss((weight * loss).sum() / weight.sum(), used, 1.0 - loss.detach())


def decode_window(vae: Any, latent: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """Decode a window of one scaled latent frame `[C,h,w]` as an image `[1,3,H,W]` in float32."""
    left, top, right, bottom = window
    dtype = next(vae.parameters()).dtype
    crop = latent[None, :, None, top:bottom, left:right].to(dtype) / vae.config.scaling_factor
    return folded_vae.decode_best(vae, crop)[:, :, 0].float()
