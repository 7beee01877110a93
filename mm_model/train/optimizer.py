"""The optimiser of a training: AdamW, or AdamW whose moments take a byte a number.

What it keeps of a parameter are plain tensors by name, so that a checkpoint holds them as they are.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from mm_model.errors import UserError
from mm_model.nn.parts import Keywords
from mm_model.run.feasible import NO_EIGHT_BIT
from mm_model.settings import TrainSettings
from mm_model.train.gradients import require_masters

if TYPE_CHECKING:
    from torch.optim import AdamW

MOMENTS = {"exp_avg": True, "exp_avg_sq": False}
"""The two moments under torch's names, and whether each may be negative."""
_SCALE = "_scale"
_BLOCK = 256


def optimizer_of(parameters: Mapping[str, nn.Parameter], settings: TrainSettings) -> AdamW:
    """What `settings.optimizer` names, with weight decay on matrices only.

    AdamW is fused where all parameters lie on CUDA.

    Raises:
        ValueError: a parameter is not float32.
        UserError: 8 bits are asked for without their package, or of sharded parameters.
    """
    require_masters(dict(parameters))
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    how: Keywords = {"lr": settings.learning_rate, "betas": settings.betas}
    if settings.optimizer == "adamw8bit":
        return _eight_bit(groups, how)
    if not all(p.device.type == "cuda" for p in parameters.values()):
        return torch.optim.AdamW(groups, **how)
    made = torch.optim.AdamW(groups, **how, fused=True)
    made.register_step_pre_hook(_counters_beside_parameters)
    return made


def _counters_beside_parameters(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """The fused kernel wants the number of steps on its own device; a checkpoint brings it on the
    CPU.
    """
    for parameter, kept in optimizer.state.items():
        if "step" in kept and kept["step"].device != parameter.device:
            kept["step"] = kept["step"].to(parameter.device)


def _eight_bit(groups: list[Keywords], how: Keywords) -> AdamW:
    if any(isinstance(p, DTensor) for group in groups for p in group["params"]):
        raise UserError(
            "optimizer adamw8bit keeps its moments in blocks that cannot be sharded: set optimizer "
            "of the training to adamw, or train without sharding (MM_SHARDING=none)."
        )
    try:
        library: Any = importlib.import_module("torchao.optim")
        kind = importlib.import_module("torchao.optim.subclass_8bit").OptimState8bit
    except ImportError:
        raise UserError(NO_EIGHT_BIT) from None

    class PlainAdamW8bit(library.AdamW8bit):
        """torchao's, but between two steps the state of a parameter is plain tensors.

        `exp_avg` and `exp_avg_sq` are codes (uint8) in the parameter's shape, `exp_avg_scale` and
        `exp_avg_sq_scale` a float32 for every 256 of them. Parameters of fewer than 4,096 numbers,
        or of a number that 256 does not divide, keep float32 moments. A rate may be a float.
        """

        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32)
            for parameter, kept in self.state.items():
                _pack(kept, parameter, kind)
            try:
                return super().step(closure)
            finally:
                for kept in self.state.values():
                    _unpack(kept, kind)

    return PlainAdamW8bit(groups, **how)


def _pack(kept: Keywords, parameter: Tensor, kind: Any) -> None:
    """Codes and scales become the library's tensors, on the same memory."""
    for name, signed in MOMENTS.items():
        if (scale := kept.pop(name + _SCALE, None)) is not None:
            levels = _levels(kind, signed, parameter.device)
            kept[name] = kind(kept[name], scale, levels, signed, dtype=parameter.dtype)


@functools.cache
def _levels(kind: Any, signed: bool, device: torch.device) -> Tensor:
    """The value that each of the 256 codes stands for, over its block's scale."""
    return kind.zeros((_BLOCK,), signed, _BLOCK, device).qmap


def _unpack(kept: Keywords, kind: Any) -> None:
    for name in MOMENTS:
        if isinstance(moment := kept.get(name), kind):
            kept[name], kept[name + _SCALE] = moment.codes, moment.scale
