"""Perceiver resamplers: the frozen identity perceiver tau_id and the trained face perceiver
tau_face.

Module names follow the published PhotoMaker-V2 file, so weights load without a renaming table.
Sizes come from the caller; padded references are masked here and nowhere else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.nn.layers import LayerNorm, Linear


class PerceiverAttention(nn.Module):
    """Latents attend to cat[context, latents] (keys and values), no biases, scale head_dim^-1/2."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.norm1 = LayerNorm(dim)
        self.norm2 = LayerNorm(dim)
        self.to_q = Linear(dim, inner, bias=False)
        self.to_kv = Linear(dim, inner * 2, bias=False)
        self.to_out = Linear(inner, dim, bias=False)

    def forward(self, context: Tensor, latents: Tensor, mask: Tensor | None = None) -> Tensor:
        """`context [B,P,dim]`, `latents [B,N,dim]`, `mask [B,P]` True if valid -> `[B,N,dim]`."""
        context, latents = self.norm1(context), self.norm2(latents)
        batch, count, _ = latents.shape
        query = self.to_q(latents)
        key, value = self.to_kv(torch.cat([context, latents], dim=1)).chunk(2, dim=-1)
        query, key, value = (
            x.reshape(batch, x.shape[1], self.heads, -1).transpose(1, 2)
            for x in (query, key, value)
        )
        if mask is not None:
            # Latents always see each other: a softmax over padding alone has no value.
            own = torch.ones(batch, count, dtype=torch.bool, device=mask.device)
            mask = torch.cat([mask, own], dim=1)[:, None, None, :]
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.to_out(out.transpose(1, 2).reshape(batch, count, -1))


def _feed_forward(dim: int, mult: int) -> nn.Sequential:
    return nn.Sequential(
        LayerNorm(dim),
        Linear(dim, dim * mult, bias=False),
        nn.GELU(),
        Linear(dim * mult, dim, bias=False),
    )


class _Resampler(nn.Module):
    """Depth x (attention, feed-forward) over latents; `[B,P,context] -> [B,N,out]`."""

    def __init__(
        self,
        dim: int,
        *,
        depth: int,
        heads: int,
        head_dim: int,
        context_dim: int,
        out_dim: int | None = None,
        ff_mult: int = 4,
    ) -> None:
        super().__init__()
        out_dim = out_dim or dim
        self.proj_in = Linear(context_dim, dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([PerceiverAttention(dim, heads, head_dim), _feed_forward(dim, ff_mult)])
            for _ in range(depth)
        )
        self.proj_out = Linear(dim, out_dim)
        self.norm_out = LayerNorm(out_dim)

    def resample(self, latents: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run `latents [B,N,dim]` over `context [B,P,context_dim]`; `mask [B,P]` True if valid."""
        context = self.proj_in(context)
        for attention, feed_forward in self.layers:
            latents = latents + attention(context, latents, mask)
            latents = latents + feed_forward(latents)
        return self.norm_out(self.proj_out(latents))


class PerceiverResampler(_Resampler):
    """A resampler over given latents."""

    def forward(self, latents: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """`latents [B,N,dim]`, `context [B,P,context_dim]` -> `[B,N,out]`."""
        return self.resample(latents, context, mask)


class IdPerceiver(nn.Module):
    """tau_id: two tokens from a raw recogniser embedding, refined over CLIP tokens (frozen).

    Names under this module equal those below `qformer_perceiver.` in the PhotoMaker-V2 file.
    Feed *raw* embeddings (norm of order 20), never unit vectors: it was trained on them.
    """

    def __init__(
        self,
        embedding_dim: int,
        dim: int,
        depth: int,
        heads: int,
        head_dim: int,
        context_dim: int,
        num_tokens: int = 2,
        hidden_ratio: int = 4,
        ff_mult: int = 4,
    ) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.dim = dim
        self.token_proj = nn.Sequential(
            Linear(embedding_dim, embedding_dim * hidden_ratio),
            nn.GELU(),
            Linear(embedding_dim * hidden_ratio, dim * num_tokens),
        )
        self.token_norm = LayerNorm(dim)
        self.perceiver_resampler = PerceiverResampler(
            dim,
            depth=depth,
            heads=heads,
            head_dim=head_dim,
            context_dim=context_dim,
            out_dim=dim,
            ff_mult=ff_mult,
        )

    def forward(self, embedding: Tensor, context: Tensor) -> Tensor:
        """Raw `embedding [M,E]`, last CLIP hidden state `context [M,P,C]` -> x_id `[M,2,dim]`."""
        tokens = self.token_proj(embedding).reshape(-1, self.num_tokens, self.dim)
        tokens = self.token_norm(tokens)
        # The published weights are trained as a correction to the recogniser's own tokens.
        return tokens + self.perceiver_resampler(tokens, context)


class FacePerceiver(_Resampler):
    """tau_face: learned queries over the penultimate CLIP tokens of all references of a subject.

    The result has a fixed number of tokens and does not depend on the order of the references.
    """

    def __init__(self, num_latents: int, dim: int, **sizes: int) -> None:
        super().__init__(dim, **sizes)
        # Of about unit length, whatever the width.
        self.latents = nn.Parameter(torch.randn(1, num_latents, dim) / dim**0.5)

    def forward(self, context: Tensor, reference_mask: Tensor | None = None) -> Tensor:
        """`context [B,R,P,C]`, `reference_mask [B,R]` True where a reference is real ->
        `[B,N,dim]`.
        """
        batch, refs, count, _ = context.shape
        mask = None
        if reference_mask is not None:
            mask = reference_mask[:, :, None].expand(batch, refs, count).flatten(1)
        latents = self.latents.to(context.dtype).expand(batch, -1, -1)
        # All references side by side: always as many tokens, in no order of the pictures (choice).
        return self.resample(latents, context.flatten(1, 2), mask)

    @torch.no_grad()
    def copy_from(self, source: PerceiverResampler) -> None:
        """Warm start from tau_id's resampler; raises `ValueError` when the sizes differ."""
        # The queries stay random: tau_id has none of its own, its come from the recogniser.
        state = source.state_dict()
        own = {name: value for name, value in self.state_dict().items() if name != "latents"}
        if {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in own.items()}:
            raise ValueError("the face perceiver and the identity perceiver have different sizes")
        self.load_state_dict({**state, "latents": self.latents.detach()})
