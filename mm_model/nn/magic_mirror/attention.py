"""Joint attention over [face, text, video] with decoupled cross-attention to the face tokens.

One processor for adapted and plain layers; every product goes through diffusers' attention
dispatcher, so `set_attention_backend` works. Without face tokens it repeats the stock arithmetic
bit for bit.
"""

from __future__ import annotations

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from mm_model.nn.magic_mirror.layer_adapter import DecoupledCrossAttention


class MagicMirrorAttnProcessor:
    """Attention processor of every block.

    Tokens are ordered [face, text, video]; the encoder stream carries the first two and the leading
    `face_length` of them are face tokens. Only video positions are rotated (RoPE).
    """

    _attention_backend = None
    _parallel_config = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        face_length: int = 0,
        face_attention: DecoupledCrossAttention | None = None,
        ca_scale: float = 1.0,
        mode: str = "joint",
        face_gate: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """`hidden_states [B,V,d]`, `encoder_hidden_states [B,F+L,d]` -> (video, encoder) outputs.

        `face_attention` adds SDPA(q before RoPE, norm_k(W_k face), W_v face) scaled by `ca_scale`,
        before the shared output projection or through its own (`ca_out_proj`).
        """
        # Faces in front of the text: all of diffusers that cuts by the encoder's length leaves them
        # out of the rotation with it.
        prefix = encoder_hidden_states.size(1)
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        query, key, value = self._project(attn, tokens)
        # Face tokens have no place, so how much a pixel asks of them must not depend on its own:
        # the cross-attention takes the query before rotation. The paper writes W_q(x_full)
        # (v1, 3.3) and leaves the rotation open.
        plain_query = query
        if image_rotary_emb is not None:
            query = _rotate(query, prefix, image_rotary_emb)
            key = _rotate(key, prefix, image_rotary_emb)
        if face_length == 0 or mode == "joint":
            out = self._sdpa(query, key, value, attention_mask)
        elif mode == "asymmetric":
            out = self._asymmetric(query, key, value, face_length)
        else:
            out = self._gated(query, key, value, face_length, face_gate)
        crossed = None
        if face_attention is not None and face_length and ca_scale != 0.0:
            face = encoder_hidden_states[:, :face_length]
            crossed = ca_scale * self._sdpa(plain_query, *face_attention.keys_values(face))
        out = _project_out(attn, face_attention, out, crossed)
        encoder, video = out.split([prefix, out.size(1) - prefix], dim=1)
        return video, encoder

    def _project(self, attn: Attention, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shared projections and per-head norms, each `[B,heads,S,head_dim]`."""
        batch = tokens.shape[0]
        query, key, value = (
            x.view(batch, -1, attn.heads, x.shape[-1] // attn.heads).transpose(1, 2)
            for x in (attn.to_q(tokens), attn.to_k(tokens), attn.to_v(tokens))
        )
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        if attn.norm_k is not None:
            key = attn.norm_k(key)
        return query, key, value

    def _sdpa(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Attention on `[B,heads,S,head_dim]` tensors through the dispatcher, same layout back."""
        out = dispatch_attention_fn(
            *(x.transpose(1, 2) for x in (query, key, value)),
            attn_mask=mask,
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        return out.transpose(1, 2)

    def _asymmetric(self, query: Tensor, key: Tensor, value: Tensor, face: int) -> Tensor:
        """Face queries see all keys; text and video queries see text and video only."""
        first = self._sdpa(query[:, :, :face], key, value)
        rest = self._sdpa(query[:, :, face:], key[:, :, face:], value[:, :, face:])
        return torch.cat([first, rest], dim=2)

    def _gated(self, query: Tensor, key: Tensor, value: Tensor, face: int, gate: Tensor) -> Tensor:
        """O_tv + a (O_f - O_tv) with a = g Z_f / (Z_tv + g Z_f): g=0 is the base, g=1 plain joint.

        The share p = Z_f / (Z_tv + Z_f) comes from one more attention product whose values are 1 on
        face keys and 0 elsewhere, so any backend can differentiate it (no log-sum-exp needed);
        the price is a third product, which only this mode pays.
        """
        others = self._sdpa(query, key[:, :, face:], value[:, :, face:])
        faces = self._sdpa(query, key[:, :, :face], value[:, :, :face])
        marks = torch.zeros_like(value)
        marks[:, :, :face] = 1.0
        share = self._sdpa(query, key, marks)[..., :1].float()
        # A negative gate would give weights outside [0, 1]. In float32: beside a clip's tokens few
        # face tokens have so small a share that `1 - share` is 1 in bfloat16.
        weight = gate.to(value.dtype).float().clamp(min=0.0) * share
        weight = weight / (1.0 - share + weight).clamp(min=torch.finfo(torch.float32).tiny)
        return others + weight.to(others.dtype) * (faces - others)


def _rotate(x: Tensor, prefix: int, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """RoPE on the positions after `prefix`; a copy: the un-rotated query is still needed."""
    return torch.cat([x[:, :, :prefix], apply_rotary_emb(x[:, :, prefix:], rotary)], dim=2)


def _project_out(
    attn: Attention,
    face_attention: DecoupledCrossAttention | None,
    out: Tensor,
    crossed: Tensor | None,
) -> Tensor:
    """Merge heads and apply the output projection(s): shared (SA + CA) or one for each."""

    def merge(x: Tensor) -> Tensor:
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)

    # The paper adds the two attentions (v1, 3.3) and does not say on which side of the output
    # projection. Before the base's costs no weights; one of its own is the other reading, at
    # 0.2B more of them in the 5B model.
    own = face_attention.to_out if face_attention is not None else None
    if crossed is not None and own is None:
        out = out + crossed
    out = attn.to_out[1](attn.to_out[0](merge(out)))
    if crossed is not None and own is not None:
        out = out + own(merge(crossed))
    return out
