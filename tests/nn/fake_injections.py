"""Two more ways of an identity into the transformer: by the text alone, and behind the blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from mm_model.nn.initialise import reset_module, seeded
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.nn.injection.config import InjectionConfig, backbone_family
from mm_model.nn.injection.layer import AfterBlock
from mm_model.nn.injection.port import IdentityInjection, Wanted
from mm_model.nn.layers import Linear

TOKENS = 5
"""What the small vision encoder says of a picture."""


@dataclass(frozen=True, kw_only=True)
class Config(InjectionConfig):
    """Widths of what is read; `hidden` that of the attention behind a block."""

    id_dim: int
    clip_dim: int
    text_dim: int
    hidden: int = 16


class _Fake(IdentityInjection):
    config: Config

    @classmethod
    def fresh(
        cls, transformer: Any, encoder: Any, wanted: Wanted, *, seed: int = 0, dtype: Any = None
    ) -> Self:
        base = transformer.config
        config = cls.CONFIG(
            preset=wanted["preset"],
            family=backbone_family(base),
            num_layers=base.num_layers,
            width=transformer.width,
            id_dim=encoder.id_dim,
            clip_dim=encoder.clip_dim,
            text_dim=base.text_embed_dim,
            reference_margin=wanted["reference_margin"],
            recognizer_sha256=encoder.recognizer_sha256,
        )
        made = cls.put_into(transformer, config, dtype)
        reset_module(made, seeded(seed))
        return made

    def encode_identity(self, features: IdentityFeatures) -> IdentityCondition:
        mask = features.mask.to(torch.bool)
        fused = torch.ones(len(mask), dtype=torch.bool, device=mask.device)
        return IdentityCondition(features.x_id, self.tokens(features), None, mask, fused)

    def tokens(self, features: IdentityFeatures) -> Tensor | None:
        return None


@dataclass(frozen=True, kw_only=True)
class TextConfig(Config):
    NAME: ClassVar[str] = "TextAlone"


class TextAlone(_Fake):
    """The identity is added to the text at the subject's places."""

    CONFIG = TextConfig
    PRESETS = ("text_alone",)

    def build(self) -> None:
        self.into_text = Linear(self.config.id_dim, self.config.text_dim)

    def null_condition(
        self, batch: int, references: int = 1, dtype: torch.dtype | None = None
    ) -> IdentityCondition:
        x_id = torch.zeros(batch, references, 2, self.config.id_dim, dtype=dtype or self.dtype)
        mask = torch.ones(batch, references, dtype=torch.bool)
        return IdentityCondition(x_id, None, None, mask, ~mask[:, 0])

    def fuse_text(
        self, text_embeds: Tensor, text_mask: Tensor, condition: IdentityCondition, scale: float = 1
    ) -> Tensor:
        mask = text_mask & condition.fused[:, None]
        valid = condition.mask & mask.any(dim=1)[:, None]
        out = text_embeds.clone()
        told = self.into_text(condition.x_id[valid].flatten(0, 1).to(out.dtype))
        out[mask] = out[mask] + scale * told.to(out.dtype)
        return out


@dataclass(frozen=True, kw_only=True)
class BehindConfig(Config):
    NAME: ClassVar[str] = "BehindBlocks"


class _Crossing(AfterBlock):
    def __init__(self, width: int, context: int, hidden: int) -> None:
        super().__init__()
        self.to_q, self.to_k = Linear(width, hidden), Linear(context, hidden)
        self.to_v, self.to_out = Linear(context, hidden), Linear(hidden, width)

    def forward(self, video: Tensor, tokens: Tensor, scale: float) -> Tensor:
        out = nn.functional.scaled_dot_product_attention(
            self.to_q(video), self.to_k(tokens), self.to_v(tokens)
        )
        return video + scale * self.to_out(out)


class BehindBlocks(_Fake):
    """Cross-attention behind every third block to tokens of another width than the DiT's."""

    CONFIG = BehindConfig
    PRESETS = ("behind_blocks",)

    def build(self) -> None:
        self.proj = Linear(self.config.clip_dim, 20)
        self.null = nn.Parameter(torch.zeros(1, 1, 20))

    def new_layers(self) -> dict[int, nn.Module]:
        config = self.config
        return {
            n: _Crossing(config.width, 20, config.hidden) for n in range(0, config.num_layers, 3)
        }

    @classmethod
    def fresh(cls, transformer: Any, encoder: Any, wanted: Wanted, **given: Any) -> Self:
        made = super().fresh(transformer, encoder, wanted, **given)
        with torch.no_grad():
            made.null.zero_()
        return made

    def tokens(self, features: IdentityFeatures) -> Tensor:
        weight = features.mask.to(features.clip_tokens.dtype)[:, :, None, None]
        return self.proj((features.clip_tokens * weight).sum(dim=1) / weight.sum(dim=1))

    def null_condition(
        self, batch: int, references: int = 1, dtype: torch.dtype | None = None
    ) -> IdentityCondition:
        dtype = dtype or self.dtype
        x_id = torch.zeros(batch, references, 2, self.config.id_dim, dtype=dtype)
        mask = torch.ones(batch, references, dtype=torch.bool)
        null = self.null.to(dtype).expand(batch, TOKENS, -1)
        return IdentityCondition(x_id, null, None, mask, ~mask[:, 0])
