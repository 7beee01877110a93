"""Seeded weight initialisation for modules that were built without storage (meta device).

Draws come from an explicit generator on the CPU, so that one seed gives the same weights on every
device; the global random state is never touched.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def seeded(seed: int = 0) -> torch.Generator:
    """A CPU generator with the given seed."""
    return torch.Generator("cpu").manual_seed(seed)


@torch.no_grad()
def fill_uniform(tensor: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill in place with U(-bound, bound), drawn in fp32 on the CPU."""
    draw = torch.empty(tensor.shape, dtype=torch.float32).uniform_(
        -bound, bound, generator=generator
    )
    tensor.copy_(draw)


@torch.no_grad()
def fill_normal(tensor: Tensor, std: float, generator: torch.Generator) -> None:
    """Fill in place with N(0, std^2), drawn in fp32 on the CPU."""
    draw = torch.empty(tensor.shape, dtype=torch.float32).normal_(0.0, std, generator=generator)
    tensor.copy_(draw)


@torch.no_grad()
def reset_module(module: nn.Module, generator: torch.Generator) -> None:
    """Linear layers: U(+-fan_in^-1/2) for weight and bias; LayerNorm: identity. In module order."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            # torch's own bound for linear layers, from a generator of ours.
            bound = child.in_features**-0.5
            fill_uniform(child.weight, bound, generator)
            if child.bias is not None:
                fill_uniform(child.bias, bound, generator)
        elif isinstance(child, nn.LayerNorm) and child.elementwise_affine:
            nn.init.ones_(child.weight)
            nn.init.zeros_(child.bias)


@torch.no_grad()
def zero_(module: nn.Linear) -> None:
    """Set weight and bias of a linear layer to zero."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def materialise(module: nn.Module, device: torch.device | str, dtype: torch.dtype) -> nn.Module:
    """Give a meta module (uninitialised) storage of the given kind, or move it when it has some."""
    if any(p.is_meta for p in module.parameters()):
        module = module.to_empty(device=device)
    return module.to(device=device, dtype=dtype)
