"""Where networks compute, as a profile asks for it."""

import torch

from mm_model.errors import UserError


def device_named(asked: str) -> torch.device:
    """The device of `cpu`, `cuda` or `auto`, which takes CUDA when there is one.

    Raises:
        UserError: `cuda` is asked for and absent.
    """
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise UserError("run.device is cuda, but PyTorch finds no CUDA device: set cpu or auto.")
    return torch.device("cuda" if asked != "cpu" and available else "cpu")
