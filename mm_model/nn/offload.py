"""Weights that are brought when needed: what reads them outside a `forward` goes through here.

Hooks of accelerate (`enable_model_cpu_offload`, `enable_sequential_cpu_offload`) fetch a module's
weights when its `forward` is called, and only then. Light: needs torch alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_HOOK = "_hf_hook"


def is_offloaded(module: nn.Module) -> bool:
    """Whether hooks of accelerate hold the weights of `module` or of a part of it."""
    return any(hasattr(part, _HOOK) for part in module.modules())


def execution_device(module: nn.Module) -> torch.device:
    """Where `module` computes: what its hooks say, else where its first parameter is."""
    for part in module.modules():
        device = getattr(getattr(part, _HOOK, None), "execution_device", None)
        if device is not None:
            return torch.device(device)
    return next(module.parameters()).device


@contextmanager
def present(module: nn.Module) -> Iterator[None]:
    """Meanwhile the weights that lie in `module` itself are where it computes.

    Weights of its parts come by their own hooks, or with the module where it moves as a whole.
    """
    hook = getattr(module, _HOOK, None)
    if hook is None:
        yield
        return
    hook.pre_forward(module)
    try:
        yield
    finally:
        hook.post_forward(module, None)


@contextmanager
def layers_of_blocks(adapter: Any | None) -> Iterator[None]:
    """Meanwhile `adapter` holds its global parts only: its layers are the transformer's."""
    if adapter is None:
        yield
        return
    layers, adapter.layers = adapter.layers, nn.ModuleDict()
    try:
        yield
    finally:
        adapter.layers = layers
