"""Which device of PyTorch a profile means."""

from typing import TYPE_CHECKING

from mm_model.errors import UserError

if TYPE_CHECKING:
    import torch

    from mm_model.settings.sections import RunSettings


def device_of(run: "RunSettings") -> "torch.device":
    """The device a profile asks for; `auto` takes CUDA when there is one.

    Raises:
        UserError: `cuda` is asked for and absent.
    """
    return device_named(run.device)


def device_named(name: str) -> "torch.device":
    """The device that `run.device` means: cpu, cuda or auto.

    Raises:
        UserError: `cuda` is asked for and absent.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("run.device is cuda, but PyTorch finds no CUDA device: set cpu or auto.")
    return torch.device("cuda" if name != "cpu" and available else "cpu")
