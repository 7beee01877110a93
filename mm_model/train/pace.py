"""How fast a training goes: samples and work a second, memory, time left."""

import resource
import time
from collections.abc import Callable

import torch

from mm_model.planning.rates import GPUS

_DAY, _HOUR, _MINUTE = 86400.0, 3600.0, 60.0


class Pace:
    """Measures from one call of `taken` to the next; `waited` tells the seconds waited so far.

    `tflop` is the work of one sample's forward and backward pass by the FLOP model, None when it
    is not known; `processes` share the work.
    """

    def __init__(
        self,
        batch_size: int,
        waited: Callable[[], float],
        tflop: float | None = None,
        processes: int = 1,
    ) -> None:
        self._batch_size, self._waited = batch_size, waited
        self._tflop, self._processes = tflop, processes
        self._peak = _peak()
        self.rate = 0.0
        self.begin(0)

    def begin(self, step: int) -> None:
        """Leave out what happened since, such as looking at samples."""
        self._step, self._since, self._before = step, time.monotonic(), self._waited()

    def taken(self, step: int) -> dict[str, float]:
        """What to log after `step`: of this process memory and rate of work (TFLOP/s), of all
        processes samples a second; `mfu` is that rate over what the GPU's maker states.
        """
        seconds = max(time.monotonic() - self._since, 1e-9)
        self.rate = (step - self._step) * self._batch_size / seconds
        waiting = (self._waited() - self._before) / seconds
        self.begin(step)
        said = {
            "samples_per_second": self.rate,
            "share_of_time_waiting_for_data": waiting,
            "memory_gb": _memory(),
        }
        if self._tflop is not None:
            said["tflop_per_second"] = self.rate * self._tflop / self._processes
            if self._peak is not None:
                said["mfu"] = said["tflop_per_second"] / self._peak
        return said


def spoken(seconds: float) -> str:
    """A time left, in the unit that fits."""
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


def _memory() -> float:
    """GB at most so far: of the GPU, or resident on a CPU."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _peak() -> float | None:
    """TFLOP/s of this GPU as its maker states them; None for others and for a CPU."""
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return None
    name = torch.cuda.get_device_name().lower()
    return next((gpu.tflops for word, gpu in GPUS.items() if word in name), None)
