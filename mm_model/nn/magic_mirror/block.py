"""The transformer block: a CogVideoX block with an optional `adapter` child.

Contract `(hidden, encoder) -> (hidden, encoder)` with the encoder stream packed as face + text
tokens. A block without adapter, or a call without identity, runs the base arithmetic untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.injection.layer import AfterBlock
from mm_model.nn.layers import LayerNorm
from mm_model.nn.magic_mirror.attention import MagicMirrorAttnProcessor
from mm_model.nn.magic_mirror.layer_adapter import LayerAdapter
from mm_model.nn.parts import Keywords

Rotary = tuple[Tensor, Tensor]


class LayerModulation(NamedTuple):
    """Modulation of one layer at one time: `base [B or 1,12d]`, `face [B or 1,6d]` or None."""

    base: Tensor
    face: Tensor | None


class MagicMirrorBlock(CogVideoXBlock):
    """Adopts the submodules of a base block under their names; `adapter` exists in even layers
    only.
    """

    def __init__(self, base: CogVideoXBlock) -> None:
        nn.Module.__init__(self)
        self.norm1 = base.norm1
        self.attn1 = base.attn1
        self.norm2 = base.norm2
        self.ff = base.ff
        self.attn1.set_processor(MagicMirrorAttnProcessor())
        self.adapter: LayerAdapter | AfterBlock | None = None

    @property
    def mirror(self) -> LayerAdapter | None:
        """Magic Mirror's adapter of this layer, where it has one."""
        return self.adapter if isinstance(self.adapter, LayerAdapter) else None

    def modulation(
        self, temb: Tensor, id_code: Tensor | None = None, can_scale: float = 1.0
    ) -> LayerModulation:
        """Base modulation (plus CAN shifts) of both norms and the face's, from `temb [B,t]`."""
        first = self.norm1.linear(self.norm1.silu(temb))
        second = self.norm2.linear(self.norm2.silu(temb))
        base = torch.cat([first, second], dim=-1)
        adapter = self.mirror
        if adapter is None:
            return LayerModulation(base, None)
        if adapter.can is not None and id_code is not None and can_scale != 0.0:
            # CogVideoXLayerNormZero's order: shift, scale, gate of the video, then of the text.
            mu1_vid = first[:, : first.shape[-1] // 6]
            base = base + can_scale * adapter.can(id_code, temb, mu1_vid)
        face = adapter.face_mod(temb) if adapter.face_mod is not None else None
        return LayerModulation(base, face)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: Keywords | None = None,
        face_length: int = 0,
        id_code: Tensor | None = None,
        can_scale: float = 1.0,
        ca_scale: float = 1.0,
        modulation: LayerModulation | None = None,
        tokens: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """`hidden_states [B,V,d]`, `encoder_hidden_states [B,F+L,d]`, `temb [B,t]` -> same shapes.

        Face tokens pass a layer without adapter unchanged. `modulation` replaces the modulation
        computed from `temb` (tables for known timesteps). `tokens [B,F,c]` are for a module behind
        the block, which `ca_scale` weighs.
        """
        video, encoder = self._inside(
            hidden_states,
            encoder_hidden_states,
            temb,
            rotary=image_rotary_emb,
            attention_kwargs=attention_kwargs,
            face_length=face_length,
            id_code=id_code,
            scales=(can_scale, ca_scale),
            modulation=modulation,
        )
        if tokens is not None and isinstance(self.adapter, AfterBlock):
            video = self.adapter(video, tokens, ca_scale)
        return video, encoder

    def _inside(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        *,
        rotary: Rotary | None,
        attention_kwargs: Keywords | None,
        face_length: int,
        id_code: Tensor | None,
        scales: tuple[float, float],
        modulation: LayerModulation | None,
    ) -> tuple[Tensor, Tensor]:
        """The block itself, with Magic Mirror's adapter where it has one."""
        identity = self.mirror is not None and (face_length > 0 or id_code is not None)
        if not identity and modulation is None:
            face = encoder_hidden_states[:, :face_length]
            video, text = super().forward(
                hidden_states,
                encoder_hidden_states[:, face_length:],
                temb,
                rotary,
                attention_kwargs,
            )
            return video, (torch.cat([face, text], dim=1) if face_length else text)
        if modulation is None:
            modulation = self.modulation(temb, id_code, scales[0])
        face, encoder = None, encoder_hidden_states
        # Odd layers have no modulation for faces (paper v1, 4.1: even layers are adapted), so face
        # tokens go round them rather than through the text's.
        if self.mirror is None and face_length:
            face, encoder = encoder.split([face_length, encoder.size(1) - face_length], dim=1)
            face_length = 0
        hidden_states, encoder = self._modulated(
            hidden_states,
            encoder,
            modulation,
            rotary=rotary,
            attention_kwargs=attention_kwargs,
            face_length=face_length,
            ca_scale=scales[1],
        )
        return hidden_states, (torch.cat([face, encoder], dim=1) if face is not None else encoder)

    def _modulated(
        self,
        video: Tensor,
        encoder: Tensor,
        modulation: LayerModulation,
        *,
        rotary: Rotary | None,
        attention_kwargs: Keywords | None,
        face_length: int,
        ca_scale: float,
    ) -> tuple[Tensor, Tensor]:
        """The block with given modulation; `encoder [B,F+L,d]` holds `face_length` face tokens."""
        # Six of norm1 and six of norm2; CAN keeps that order, so one addition reaches all of them.
        chunks = modulation.base.chunk(12, dim=-1)
        norms = (self.norm1.norm, self.norm2.norm)
        face_norms: tuple[LayerNorm | None, ...] = (None, None)
        face_chunks: Sequence[Tensor | None] = (None,) * 6
        extra: Keywords = {}
        if face_length:
            adapter, face = self._face_stream(modulation)
            # Projections and feed-forward are the base's, frozen: the paper gives faces a
            # modulation and a cross-attention of their own, no more (v1, 3.3).
            face_norms = (adapter.face_norm1, adapter.face_norm2)
            face_chunks = face.chunk(6, dim=-1)
            extra = {
                "face_length": face_length,
                "face_attention": adapter.ca,
                "ca_scale": ca_scale,
                "mode": adapter.mode,
                "face_gate": adapter.gate(),
            }
        for half in (0, 1):
            shift, scale, gate, e_shift, e_scale, e_gate = chunks[6 * half : 6 * half + 6]
            f_shift, f_scale, f_gate = face_chunks[3 * half : 3 * half + 3]
            text = _modulate(norms[half], encoder[:, face_length:], e_shift, e_scale)
            packed = text
            if face_length:
                face = _modulate(face_norms[half], encoder[:, :face_length], f_shift, f_scale)
                packed = torch.cat([face, text], dim=1)
            states = _modulate(norms[half], video, shift, scale)
            if half == 0:
                out_video, out_encoder = self.attn1(
                    hidden_states=states,
                    encoder_hidden_states=packed,
                    image_rotary_emb=rotary,
                    **extra,
                    **(attention_kwargs or {}),
                )
            else:
                out = self.ff(torch.cat([packed, states], dim=1))
                out_encoder, out_video = out[:, : packed.size(1)], out[:, packed.size(1) :]
            # To the stream as it came in, as the pretrained block does. The paper's line adds to
            # the modulated value (v1, 3.3), which these weights were not trained for.
            video = video + gate[:, None] * out_video
            encoder = _gated_add(encoder, out_encoder, e_gate, f_gate, face_length)
        return video, encoder

    def _face_stream(self, modulation: LayerModulation) -> tuple[LayerAdapter, Tensor]:
        adapter = self.mirror
        if adapter is None or modulation.face is None:
            raise UserError(
                "Face tokens were given, but the adapter has no face stream (use_face is "
                "false): leave face_tokens out."
            )
        return adapter, modulation.face


def _modulate(norm: nn.LayerNorm, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LN(x) (1 + scale) + shift, with shift and scale `[B,d]`."""
    return norm(x) * (1 + scale)[:, None, :] + shift[:, None, :]


def _gated_add(x: Tensor, out: Tensor, gate: Tensor, face_gate: Tensor | None, face: int) -> Tensor:
    """Residual addition of the encoder stream, with its own gate for the leading face tokens."""
    text = x[:, face:] + gate[:, None] * out[:, face:]
    if face_gate is None:  # no face tokens
        return text
    return torch.cat([x[:, :face] + face_gate[:, None] * out[:, :face], text], dim=1)


def register_for_caching() -> None:
    """Tell diffusers' cache hooks how to read this block; they look up the exact class."""
    from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry

    metadata = TransformerBlockMetadata(
        return_hidden_states_index=0, return_encoder_hidden_states_index=1
    )
    TransformerBlockRegistry.register(model_class=MagicMirrorBlock, metadata=metadata)
