"""Modulation tables: everything that depends on time and identity only, computed before sampling.

A sampler's timesteps are known beforehand; base modulation, CAN shifts and face modulation do not
depend on the latents. Same algebra as the direct path, only the batch of the products differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mm_model.nn.magic_mirror.block import LayerModulation, MagicMirrorBlock


@dataclass(frozen=True)
class ModulationTable:
    """Per layer: `base[l] [T, B or 1, 12d]` and `face[l] [T, 1, 6d]` (or None) for T timesteps."""

    timesteps: Tensor
    base: tuple[Tensor, ...]
    face: tuple[Tensor | None, ...]

    def step(self, index: int) -> list[LayerModulation]:
        """Modulation of all layers at the `index`-th timestep."""
        return [
            LayerModulation(base[index], face[index] if face is not None else None)
            for base, face in zip(self.base, self.face, strict=True)
        ]

    def nbytes(self) -> int:
        """Bytes held by the table."""
        tensors = [*self.base, *(f for f in self.face if f is not None)]
        return sum(t.numel() * t.element_size() for t in tensors)


@torch.no_grad()
def build_modulation_table(
    blocks: Sequence[MagicMirrorBlock],
    timesteps: Tensor,
    temb: Tensor,
    id_code: Tensor | None,
    can_scale: float,
) -> ModulationTable:
    """Tables for `timesteps [T]` with embeddings `temb [T,t]` and codes `[B,c]` or None."""
    bases: list[Tensor] = []
    faces: list[Tensor | None] = []
    for block in blocks:
        plain = block.modulation(temb)
        base = plain.base[:, None]
        has_can = block.mirror is not None and block.mirror.can is not None
        if has_can and id_code is not None and can_scale != 0.0:
            rows = [
                block.modulation(temb, code.expand(len(temb), -1), can_scale).base
                for code in id_code
            ]
            base = torch.stack(rows, dim=1)
        bases.append(base)
        faces.append(plain.face[:, None] if plain.face is not None else None)
    return ModulationTable(timesteps.detach().clone(), tuple(bases), tuple(faces))


def modulation_modules(blocks: Iterable[MagicMirrorBlock]) -> list[nn.Module]:
    """The modules a table replaces; they may leave the device while sampling."""
    modules: list[nn.Module] = []
    for block in blocks:
        modules += [block.norm1.linear, block.norm2.linear]
        if block.mirror is not None:
            modules += [m for m in (block.mirror.can, block.mirror.face_mod) if m is not None]
    return modules
