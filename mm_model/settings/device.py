"""Which device of PyTorch a profile means, and whether it has room for all of a backbone."""

from typing import TYPE_CHECKING

from mm_model.errors import UserError

if TYPE_CHECKING:
    import torch

    from mm_model.settings.sections import RunSettings


ROOMY = 40e9
"""Bytes of a GPU from which on all parts of CogVideoX-5B stay on it at once, with room to work."""


def device_of(run: "RunSettings") -> "torch.device":
    """The device a profile asks for; `auto` takes CUDA when there is one.

    Raises:
        UserError: `cuda` is asked for and absent.
    """
    return device_named(run.device)


def device_named(name: str, said_by: str = "run.device") -> "torch.device":
    """The device that cpu, cuda or auto means; `said_by` is where it stands, for the sentence.

    Raises:
        UserError: `cuda` is asked for and absent.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError(f"{said_by} is cuda, but PyTorch finds no CUDA device: give cpu or auto.")
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def settle(device: "torch.device") -> None:
    """Ask for equal bits on a CPU; on a GPU that costs speed everywhere and is promised nowhere."""
    import torch

    if device.type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)


def is_small(device: "torch.device") -> bool:
    """Whether the device is a GPU of less than `ROOMY` bytes, such as a card of 24 GB.

    On such a card what is not at work waits in the machine's memory, large pictures pass the VAE in
    tiles, and a training takes fewer samples through the model at once.
    """
    import torch

    if device.type != "cuda":
        return False
    return torch.cuda.get_device_properties(device).total_memory < ROOMY
