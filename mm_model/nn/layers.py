"""Layers whose weights are masters: kept in float32 while trained, used in the input's dtype.

At a learning rate of 1e-5 a bfloat16 weight does not move: the step is smaller than its last digit.
So weights are cast where they are used. The cast is part of the graph, so gradients arrive and add
up in the weights' own dtype; where both dtypes agree nothing is copied.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear` computed in the dtype of its input `[..., in]`."""

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in] -> [..., out]`."""
        bias = self.bias.to(x.dtype) if self.bias is not None else None
        return F.linear(x, self.weight.to(x.dtype), bias)


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` with weight and bias, computed in the dtype of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """The shape of `x` stays."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
