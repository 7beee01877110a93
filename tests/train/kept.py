"""Checkpoints of one process in one call, for tests."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mm_model.train import state
from mm_model.train.state import Restored


def save(
    folder: Path,
    step: int,
    fingerprint: str,
    *,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    curve: list[dict],
) -> Path:
    """Write the checkpoint of a training of one process at once."""
    return state.write(folder, fingerprint, state.snapshot(step, parameters, optimizer, curve))


def restore(
    folder: Path,
    fingerprint: str,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    say: Callable[[str], None] = print,
) -> Restored | None:
    """Load the newest whole checkpoint of this fingerprint into parameters and optimiser."""
    return state.load(
        [folder / name for name in state.newest(folder, fingerprint, say)], parameters, optimizer
    )
