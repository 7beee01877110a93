"""`MagicMirrorAdapter`: the global adapter parts plus a view on the transformer's layer adapters.

Its state dict carries exactly the keys of an adapter file; its parameters are exactly what is
trained. Base weights are never part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.identity.resampler import FacePerceiver, PerceiverResampler
from mm_model.nn.initialise import fill_normal, reset_module, seeded, zero_
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.nn.injection.port import IdentityInjection, Wanted
from mm_model.nn.layers import Linear
from mm_model.nn.magic_mirror.config import AdapterConfig
from mm_model.nn.magic_mirror.fusion import TextFusion, fuse_text
from mm_model.nn.magic_mirror.layer_adapter import LayerAdapter
from mm_model.nn.magic_mirror.presets import PRESET_NAMES, adapter_config
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.nn.offload import present

if TYPE_CHECKING:
    from mm_model.nn.identity.encoder import IdentityEncoder


_PREDICTORS = ("can.fc1", "can.fc2", "face_mod.linear")


class MagicMirrorAdapter(IdentityInjection):
    """Face perceiver, face projection, text fusion, CAN projection, learned nulls and `layers`.

    Build it with `create` (fresh weights) or `from_pretrained`; both attach the layer adapters to
    the given transformer, which keeps sharing them with this view.
    """

    CONFIG = AdapterConfig
    PRESETS = PRESET_NAMES

    config: AdapterConfig

    def build(self) -> None:
        """The parts outside the blocks."""
        config = self.config
        self.text_fusion = TextFusion(config.text_dim, config.id_dim)
        self.null_id = nn.Parameter(torch.zeros(config.id_tokens, config.id_dim))
        self.can_proj: nn.Linear | None = None
        if config.use_can:
            self.can_proj = Linear(config.id_dim, config.can_code)
        self.face_perceiver = self.face_proj = None
        if config.use_face:
            self.face_perceiver = FacePerceiver(
                config.face_tokens,
                config.face_dim,
                depth=config.face_depth,
                heads=config.face_heads,
                head_dim=config.face_head_dim,
                context_dim=config.clip_dim,
                ff_mult=config.face_ff_mult,
            )
            if config.face_projection:
                self.face_proj = Linear(config.face_dim, config.width)
            self.null_face = nn.Parameter(torch.zeros(config.face_tokens, config.width))

    @classmethod
    def create(
        cls,
        transformer: MagicMirrorTransformer3DModel,
        config: AdapterConfig,
        seed: int = 0,
        id_resampler: PerceiverResampler | None = None,
        dtype: torch.dtype | None = None,
    ) -> MagicMirrorAdapter:
        """A fresh adapter attached to `transformer`; identity-neutral but for the joint attention.

        `id_resampler` warm-starts tau_face from tau_id (sizes must agree). `dtype` is that of the
        weights (the backbone's when None); arithmetic follows the inputs. On a meta transformer the
        weights stay without storage. Raises `UserError` when config and backbone do not fit.
        """
        adapter = cls.put_into(transformer, config, dtype)
        if not transformer.proj_out.weight.is_meta:
            adapter._reset(transformer, seed)
            if id_resampler is not None and adapter.face_perceiver is not None:
                adapter.face_perceiver.copy_from(id_resampler)
        return adapter

    @classmethod
    def fresh(
        cls,
        transformer: MagicMirrorTransformer3DModel,
        encoder: IdentityEncoder,
        wanted: Wanted,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> MagicMirrorAdapter:
        """See the port; `face_perceiver: id_perceiver` begins with a copy of the encoder's."""
        config = adapter_config(
            wanted["preset"],
            transformer.config,
            encoder.clip_dim,
            encoder.id_dim,
            attention_mode=wanted["attention"],
            ca_out_proj=wanted["ca_out_proj"],
            backbone_id=wanted["backbone_id"],
            recognizer_sha256=encoder.recognizer_sha256,
            reference_margin=wanted["reference_margin"],
        )
        copied = None
        if wanted["face_perceiver"] == "id_perceiver":
            copied = encoder.id_perceiver.perceiver_resampler
        try:
            return cls.create(transformer, config, seed, copied, dtype)
        except ValueError as error:
            raise UserError(
                f"model.face_perceiver is id_perceiver, but {error} in preset "
                f"{wanted['preset']!r}: set it to random, or choose a preset of the identity "
                "perceiver's sizes."
            ) from error

    def new_layers(self) -> dict[int, nn.Module]:
        """A layer adapter for every even layer."""
        return {index: LayerAdapter(self.config) for index in self.config.adapter_layers}

    @torch.no_grad()
    def _reset(self, transformer: MagicMirrorTransformer3DModel, seed: int) -> None:
        generator = seeded(seed)
        for part in (self.face_perceiver, self.face_proj, self.text_fusion, self.can_proj):
            if part is not None:
                reset_module(part, generator)
        zero_(self.text_fusion.fc2)
        # Small and all different: 32 tokens that begin alike would be one token 32 times.
        fill_normal(self.null_id, 0.02, generator)
        if self.face_perceiver is not None:
            # Queries of about unit length, as the published resamplers begin.
            fill_normal(self.face_perceiver.latents, self.config.face_dim**-0.5, generator)
            fill_normal(self.null_face, 0.02, generator)
        for index, layer in self.layers.items():
            layer.reset(transformer.transformer_blocks[int(index)], generator)

    @property
    def device(self) -> torch.device:
        """Device of the global parts."""
        return self.null_id.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the global parts."""
        return self.null_id.dtype

    @property
    def modulation(self) -> frozenset[str]:
        """CAN with the projection of its code, and phi_face of every adapted layer."""
        # The paper tunes phi_vid and phi_txt of the base for its figure 14 (v1, appendix). Here no
        # training changes the base: CAN's shifts are added to what those two give (choice).
        parts = {"can_proj", *(f"layers.{n}.{p}" for n in self.layers for p in _PREDICTORS)}
        return frozenset(
            name for name, _ in self.named_parameters() if name.rpartition(".")[0] in parts
        )

    @property
    def unread(self) -> frozenset[str]:
        """Trained tensors without a reader: the face stream ends in the last adapted layer."""
        if not self.config.use_face:
            return frozenset()
        last = self.config.adapter_layers[-1]
        return frozenset(f"layers.{last}.face_norm2.{kind}" for kind in ("weight", "bias"))

    def encode_identity(self, features: IdentityFeatures) -> IdentityCondition:
        """Trained part of the identity encoding: x_face and the CAN code, differentiable.

        x_face and the code do not depend on the order of references; padded references are masked.
        """
        mask = features.mask.to(torch.bool)
        x_id = features.x_id
        # The paper takes one or more references (v1, 3) and does not say how several meet. CAN gets
        # their mean, the perceiver the tokens of all of them, the text each in a place of its own.
        weight = mask[:, :, None, None].to(x_id.dtype)
        mean = (torch.where(mask[:, :, None, None], x_id, 0) * weight).sum(1)
        mean = mean / weight.sum(1).clamp(min=1)
        x_face = None
        with present(self):
            if self.face_perceiver is not None:
                x_face = self.face_perceiver(features.clip_tokens, mask)
                x_face = self.face_proj(x_face) if self.face_proj is not None else x_face
            code = self._code(mean)
        fused = torch.ones(len(x_id), dtype=torch.bool, device=x_id.device)
        return IdentityCondition(x_id, x_face, code, mask, fused)

    def _code(self, mean: Tensor) -> Tensor | None:
        """c_id = flatten(P x_id): both projected tokens side by side, `[B,2,D] -> [B,2*c1]`."""
        return self.can_proj(mean).flatten(1) if self.can_proj is not None else None

    def null_condition(
        self, batch: int, references: int = 1, dtype: torch.dtype | None = None
    ) -> IdentityCondition:
        """The learned "no identity" condition: same shapes, text never fused."""
        # Guidance needs a forecast without identity, which the paper (v1) does not describe.
        # Learned stand-ins keep every shape, so nothing has to be masked (choice).
        dtype = dtype or self.dtype
        x_face = None
        with present(self):
            null_id = self.null_id.to(dtype).expand(batch, references, *self.null_id.shape)
            if self.face_perceiver is not None:
                x_face = self.null_face.to(dtype).expand(batch, -1, -1)
            code = self._code(null_id[:, 0])
        mask = torch.ones(batch, references, dtype=torch.bool, device=null_id.device)
        return IdentityCondition(null_id, x_face, code, mask, ~mask[:, 0])

    def fuse_text(
        self,
        text_embeds: Tensor,
        text_mask: Tensor,
        condition: IdentityCondition,
        scale: float = 1.0,
    ) -> Tensor:
        """Identity into the T5 output `[B,L,text]` at `text_mask [B,L]`; the rest untouched."""
        mask = text_mask & condition.fused[:, None]
        with present(self):
            return fuse_text(
                self.text_fusion,
                text_embeds,
                mask,
                x_id=condition.x_id,
                reference_mask=condition.mask,
                scale=scale,
            )

    @torch.no_grad()
    def project(self) -> None:
        """After each optimiser step: keep the gates of `gated_joint` at or above zero."""
        for layer in self.layers.values():
            if layer.face_gate is not None:
                layer.face_gate.clamp_(min=0.0)
