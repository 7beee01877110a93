"""Muon: momentum whose matrix updates are orthogonalised, AdamW for everything else.

Each kernel counts as one matrix [outputs, the rest]. On this backbone's VAE it needs far fewer
steps than AdamW for the same error, which is what a CPU budget wants (design choice; the method is
K. Jordan's, the scale that lets it share AdamW's rates is from Moonlight, arXiv 2502.16982).

`torch.optim.Muon` is the same method in bfloat16, for parameters of two dimensions alone. A CPU
without bfloat16 units (AVX2) takes 13 to 18 times as long for its rounds as for ours on these
kernels, so ours stay; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix [m, n] with its singular values pushed to about 1, by five quintic rounds.

    The rounds run on the smaller Gram matrix, so the cost is two products with the matrix itself.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    unit = torch.eye(len(gram), dtype=gram.dtype)
    total = unit
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        factor = a * unit + b * gram + c * (gram @ gram)
        total = factor @ total
        gram = factor @ gram @ factor
    x = total @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Groups marked `matrix` follow Muon, the others AdamW; both read `lr` and `weight_decay`.

    State of every parameter: `exp_avg` (momentum) and `exp_avg_sq` (empty for matrices).
    """

    def __init__(
        self,
        groups: Iterable[dict],
        lr: float,
        betas: tuple[float, float],
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "matrix": False,
        }
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update from the gradients in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(parameter)
                    shape = (0,) if group["matrix"] else parameter.shape
                    state["exp_avg_sq"] = torch.zeros(shape)
                state["step"] += 1
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                (self._matrix if group["matrix"] else self._plain)(parameter, state, group)

    @staticmethod
    def _matrix(parameter: Tensor, state: dict[str, Tensor], group: dict) -> None:
        state["exp_avg"].lerp_(parameter.grad, 1 - group["momentum"])
        ahead = parameter.grad.lerp(state["exp_avg"], group["momentum"]).reshape(len(parameter), -1)
        scale = 0.2 * max(ahead.shape) ** 0.5
        parameter.add_(orthogonalised(ahead).view_as(parameter), alpha=-group["lr"] * scale)

    @staticmethod
    def _plain(parameter: Tensor, state: dict[str, Tensor], group: dict) -> None:
        first, second = group["betas"]
        state["exp_avg"].lerp_(parameter.grad, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
        count = float(state["step"])
        size = (state["exp_avg_sq"] / (1 - second**count)).sqrt_().add_(1e-8)
        parameter.addcdiv_(state["exp_avg"], size, value=-group["lr"] / (1 - first**count))
