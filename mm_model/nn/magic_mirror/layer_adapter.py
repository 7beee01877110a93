"""What one even transformer layer adds: CAN, face modulation, face norms, decoupled
cross-attention.

A `LayerAdapter` lives as the child `adapter` of its block, so that offloading, wrapping and
checkpointing move it with the block. It holds no identity of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mm_model.nn.initialise import reset_module, zero_
from mm_model.nn.layers import LayerNorm, Linear
from mm_model.nn.magic_mirror.can import ConditionedAdaNorm, FaceModulation
from mm_model.nn.magic_mirror.config import AdapterConfig
from mm_model.nn.offload import present


class DecoupledCrossAttention(nn.Module):
    """Keys and values for attention from all tokens to the face tokens (own W_k, W_v, norm_k)."""

    def __init__(self, width: int, head_dim: int, own_out: bool) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.to_k = Linear(width, width)
        self.to_v = Linear(width, width)
        # The eps of the base's own norms of queries and keys, whose weights it begins with.
        self.norm_k = LayerNorm(head_dim, eps=1e-6)
        self.to_out = Linear(width, width) if own_out else None

    def keys_values(self, face: Tensor) -> tuple[Tensor, Tensor]:
        """Normed and modulated face tokens `[B,F,d]` -> key, value `[B,heads,F,head_dim]`."""
        batch, count, _ = face.shape
        key, value = (
            proj(face).view(batch, count, -1, self.head_dim).transpose(1, 2)
            for proj in (self.to_k, self.to_v)
        )
        return self.norm_k(key), value

    @torch.no_grad()
    def reset(self, attn: nn.Module) -> None:
        """Initial weights: keys as in the base's attention `attn`, values zero."""
        # The paper re-initialises W_k and W_v (v1, 3.3) and gives no values. Keys that compare as
        # the base's do and values of zero add nothing at first, and W_v has a gradient at once.
        self.to_k.weight.copy_(attn.to_k.weight)
        if attn.to_k.bias is not None:
            self.to_k.bias.copy_(attn.to_k.bias)
        else:
            nn.init.zeros_(self.to_k.bias)
        if attn.norm_k is not None:
            self.norm_k.load_state_dict(attn.norm_k.state_dict())
        zero_(self.to_v)
        if self.to_out is not None:
            self.to_out.weight.copy_(attn.to_out[0].weight)
            nn.init.zeros_(self.to_out.bias)


class LayerAdapter(nn.Module):
    """Trained tensors of one adapted layer; names as in the adapter file below `layers.{l}.`."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        d = config.width
        self.mode = config.attention_mode
        self.can: ConditionedAdaNorm | None = None
        if config.use_can:
            code = config.id_tokens * config.can_code
            self.can = ConditionedAdaNorm(code, config.time_dim, d, config.can_hidden)
        self.face_mod: FaceModulation | None = None
        self.face_norm1: LayerNorm | None = None
        self.face_norm2: LayerNorm | None = None
        self.ca: DecoupledCrossAttention | None = None
        if config.use_face:
            self.face_mod = FaceModulation(config.time_dim, d)
            # Copies of the base's that are trained; its own, shared by text and video, is frozen.
            self.face_norm1 = LayerNorm(d, eps=config.norm_eps)
            self.face_norm2 = LayerNorm(d, eps=config.norm_eps)
        if config.use_ca:
            self.ca = DecoupledCrossAttention(d, config.head_dim, config.ca_out_proj == "own")
        self.face_gate: nn.Parameter | None = None
        if config.use_face and config.attention_mode == "gated_joint":
            self.face_gate = nn.Parameter(torch.zeros(1))

    def gate(self) -> Tensor | None:
        """The gate of `gated_joint`, brought where it computes, or None in the other modes."""
        if self.face_gate is None or not hasattr(self, "_hf_hook"):
            return self.face_gate
        with present(self):
            return self.face_gate

    @torch.no_grad()
    def reset(self, block: nn.Module, generator: torch.Generator) -> None:
        """Initial weights: neutral CAN and cross-attention, face norms and W_k copied from `block`.

        The gate of `gated_joint` starts at 0, the exact base.
        """
        reset_module(self, generator)
        if self.can is not None:
            zero_(self.can.fc2)
        if self.face_mod is not None:
            zero_(self.face_mod.linear)
        for own, base in ((self.face_norm1, block.norm1), (self.face_norm2, block.norm2)):
            if own is not None and base.norm.elementwise_affine:
                own.load_state_dict(base.norm.state_dict())
        if self.ca is not None:
            self.ca.reset(block.attn1)
        if self.face_gate is not None:
            nn.init.zeros_(self.face_gate)
