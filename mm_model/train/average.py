"""An exponential moving average (EMA) of what is trained: smoother weights to look at and to keep.

The paper does not name one (choice: off in every shipped profile).
"""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages of `parameters` by name, float32 like them and sharded as they are.

    The decay grows to `decay` with the steps, so that the first weights do not linger.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters, self._decay = parameters, decay
        self.tensors: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in parameters.items()
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step` (counted from 1)."""
        share = 1.0 - min(self._decay, (1 + step) / (10 + step))
        for name, average in self.tensors.items():
            average.lerp_(self._parameters[name], share)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within the block the parameters are the averages; nothing is trained there."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, average in self.tensors.items():
            parameter = self._parameters[name]
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)
