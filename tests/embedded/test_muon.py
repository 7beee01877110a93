"""The optimiser of the shipped weights takes the steps that torch's own Muon and AdamW take."""

import pytest
import torch
from torch import Tensor, nn

from mm_model.embedded.training.backbone.muon import Muon, orthogonalised

RATE, DECAY, BETAS, STEPS = 3e-3, 1e-2, (0.9, 0.95), 6
KERNELS = [
    (48, 24, 3, 3, 3),
    (56, 56, 3, 3),
    (64, 192),
    (192, 64),
    (24, 3, 3, 3, 3),
    (6, 6),
    (2, 90),
]
BFLOAT16 = 0.03
"""Torch's rounds run in bfloat16: at most 0.026 of an update's size from ours (measured)."""


def starts(shape: tuple[int, ...]) -> tuple[nn.Parameter, list[Tensor]]:
    """A parameter and a gradient for each step."""
    draw = torch.Generator().manual_seed(sum(shape))
    first = nn.Parameter(torch.randn(shape, generator=draw))
    return first, [torch.randn(shape, generator=draw) for _ in range(STEPS)]


def walked(
    parameter: nn.Parameter, optimizer: torch.optim.Optimizer, steps: list[Tensor]
) -> Tensor:
    """How far the parameter went in all."""
    before = parameter.detach().clone()
    for gradient in steps:
        parameter.grad = gradient.clone().reshape(parameter.shape)
        optimizer.step()
    return parameter.detach() - before


def ours(parameter: nn.Parameter, *, matrix: bool) -> Muon:
    group = {"params": [parameter], "matrix": matrix}
    return Muon([group], lr=RATE, betas=BETAS, weight_decay=DECAY)


@pytest.mark.parametrize("shape", KERNELS)
def test_kernels_go_where_torch_s_muon_takes_them(shape: tuple[int, ...]) -> None:
    kernel, steps = starts(shape)
    matrix = nn.Parameter(kernel.detach().clone().reshape(shape[0], -1))
    theirs = torch.optim.Muon(
        [matrix], lr=RATE, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    mine = walked(kernel, ours(kernel, matrix=True), steps)
    other = walked(matrix, theirs, steps).view_as(mine)
    assert (mine - other).norm() < BFLOAT16 * other.norm()


@pytest.mark.parametrize("shape", [(7,), (64,), (50, 16), (1, 8, 3, 3)])
def test_everything_else_goes_where_torch_s_adamw_takes_it(shape: tuple[int, ...]) -> None:
    (mine, steps), (other, _) = starts(shape), starts(shape)
    theirs = torch.optim.AdamW([other], lr=RATE, betas=BETAS, weight_decay=DECAY)
    found = walked(mine, ours(mine, matrix=False), steps)
    torch.testing.assert_close(found, walked(other, theirs, steps), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("shape", KERNELS)
def test_the_rounds_on_the_small_product_are_those_on_the_matrix(shape: tuple[int, ...]) -> None:
    matrix = starts(shape)[0].detach().reshape(shape[0], -1)
    x = matrix.double().T if matrix.shape[0] > matrix.shape[1] else matrix.double()
    x = x / x.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    expected = x.T if matrix.shape[0] > matrix.shape[1] else x
    torch.testing.assert_close(orthogonalised(matrix).double(), expected, rtol=1e-3, atol=1e-4)
