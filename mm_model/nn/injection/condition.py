"""Data passed between identity encoder, adapter and transformer.

Plain tensors with fixed shapes; no computation and no weights here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class IdentityFeatures:
    """What the frozen encoders say about R references (padded rows allowed).

    `x_id [B,R,2,D]` identity tokens, `clip_tokens [B,R,P,C]` penultimate CLIP hidden states,
    `mask [B,R]` True where the reference is real. `embedding [B,R,E]` raw recogniser vectors.
    """

    x_id: Tensor
    clip_tokens: Tensor
    mask: Tensor
    embedding: Tensor | None = None

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> IdentityFeatures:
        """Move; floating tensors also change dtype."""
        embedding = self.embedding.to(device, dtype) if self.embedding is not None else None
        return replace(
            self,
            x_id=self.x_id.to(device, dtype),
            clip_tokens=self.clip_tokens.to(device, dtype),
            mask=self.mask.to(device),
            embedding=embedding,
        )


@dataclass(frozen=True)
class IdentityCondition:
    """Everything the transformer and the text fusion need of one identity per row.

    `x_id [B,R,2,D]`, `x_face [B,F,d]` (None without face branch), `id_code [B,2*c1]` (None without
    CAN), `mask [B,R]`; `fused [B]` False where the text must stay as it is (dropped identity).
    """

    x_id: Tensor
    x_face: Tensor | None
    id_code: Tensor | None
    mask: Tensor
    fused: Tensor

    @property
    def references(self) -> list[int]:
        """Number of real references of each row."""
        return self.mask.sum(dim=1).tolist()

    def transformer_inputs(self) -> dict[str, Tensor | None]:
        """Keyword arguments for `MagicMirrorTransformer3DModel.forward`."""
        return {"face_tokens": self.x_face, "id_code": self.id_code}

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> IdentityCondition:
        """Move; floating tensors also change dtype."""

        def move(x: Tensor | None) -> Tensor | None:
            return x.to(device, dtype) if x is not None else None

        return replace(
            self,
            x_id=self.x_id.to(device, dtype),
            x_face=move(self.x_face),
            id_code=move(self.id_code),
            mask=self.mask.to(device),
            fused=self.fused.to(device),
        )
