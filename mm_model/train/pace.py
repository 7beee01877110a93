"""How fast a training goes: samples a second, and how much of the time it waits for data."""

import time
from collections.abc import Callable


class Pace:
    """Measures from one call of `taken` to the next; `waited` tells the seconds waited so far."""

    def __init__(self, batch_size: int, waited: Callable[[], float]) -> None:
        self._batch_size, self._waited = batch_size, waited
        self.rate = 0.0
        self.begin(0)

    def begin(self, step: int) -> None:
        """Leave out what happened since, such as looking at samples."""
        self._step, self._since, self._before = step, time.monotonic(), self._waited()

    def taken(self, step: int) -> dict[str, float]:
        """What to log after `step`."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        self.rate = (step - self._step) * self._batch_size / seconds
        waiting = (self._waited() - self._before) / seconds
        self.begin(step)
        return {"samples_per_second": self.rate, "share_of_time_waiting_for_data": waiting}
