"""Text fusion: identity tokens replace the T5 outputs at the identity positions.

Outside the identity mask the text is passed on bit-identical; with the zero-initialised last layer
nothing changes at all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.nn.layers import LayerNorm, Linear


class TextFusion(nn.Module):
    """x_fuse = x_class + W2 GELU(W1 LN(cat[x_class, x_id])), with W2 = 0 at the start.

    The residual form is a design choice; the paper gives x_hat = m x_fuse + (1 - m) x_txt only.
    """

    def __init__(self, text_dim: int, id_dim: int) -> None:
        super().__init__()
        self.norm = LayerNorm(text_dim + id_dim)
        self.fc1 = Linear(text_dim + id_dim, text_dim)
        # No norm behind it: the transformer was trained on T5's outputs at the scale they have.
        self.fc2 = Linear(text_dim, text_dim)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, class_embeds: Tensor, id_embeds: Tensor, scale: float = 1.0) -> Tensor:
        """`class_embeds [M,text]`, `id_embeds [M,id]` -> fused embeddings `[M,text]`."""
        hidden = self.norm(torch.cat([class_embeds, id_embeds], dim=-1))
        return class_embeds + scale * self.fc2(F.gelu(self.fc1(hidden)))


def fuse_text(
    fusion: TextFusion,
    text_embeds: Tensor,
    text_mask: Tensor,
    *,
    x_id: Tensor,
    reference_mask: Tensor | None = None,
    scale: float = 1.0,
) -> Tensor:
    """Put fused embeddings at the masked positions of `text_embeds [B,L,text]`.

    `text_mask [B,L]` marks the identity positions, `x_id [B,R,2,id]` the identity tokens in
    reference-major order. A row without any mark is left alone. Raises `ValueError` when a marked
    row has another number of marks than identity tokens.
    """
    batch, refs, tokens, width = x_id.shape
    valid = torch.ones(batch, refs, dtype=torch.bool, device=x_id.device)
    if reference_mask is not None:
        valid = reference_mask.to(torch.bool)
    active = text_mask.any(dim=1)
    valid = valid & active[:, None]
    if not torch.equal(text_mask.sum(dim=1), valid.sum(dim=1) * tokens):
        raise ValueError(
            f"identity positions per row {text_mask.sum(1).tolist()} do not match "
            f"{tokens} tokens for each of {valid.sum(1).tolist()} references"
        )
    # A training goes on with no row at all: of several processes each must give every gradient.
    learns = torch.is_grad_enabled() and fusion.fc2.weight.requires_grad
    if scale == 0.0 or not (learns or bool(active.any())):
        return text_embeds
    # Both sides count row by row, and in a row reference by reference: they meet in that order.
    identity = x_id[valid].reshape(-1, width).to(text_embeds.dtype)
    fused = fusion(text_embeds[text_mask], identity, scale)
    out = text_embeds.clone()
    out[text_mask] = fused.to(out.dtype)
    return out
