"""How long a child may work on one file, told by its own processor time and not by the wall clock.

A verdict must not depend on who else uses the machine: a child that gets a tenth of a core is not a
file that hangs. Where the system does not say what a process has used (no /proc), the wall decides.
"""

import os
import time
from pathlib import Path

_IDLE_SHARE = 0.002
"""A child that ran for a smaller share of a whole window than this stands still."""

_SHORTEST_WINDOW = 5.0
"""Seconds over which standing still is judged, where the allowance is shorter than that."""


def longest(seconds: float) -> float:
    """Seconds on the wall after which nobody waits for a child with this allowance any more."""
    return max(seconds, _SHORTEST_WINDOW) * (1 / _IDLE_SHARE + 1)


def processor_seconds(pid: int) -> float | None:
    """User and system seconds that all threads of `pid` have used; None where nobody knows."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    user, system = said.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Patience:
    """Whether process `pid` may go on; begins now. `seconds` is what the work may cost."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds = pid, seconds
        self._window = max(seconds, _SHORTEST_WINDOW)
        self._began = self._seen = processor_seconds(pid)
        self._since = time.monotonic()

    @property
    def step(self) -> float:
        """Seconds to wait before asking again."""
        return min(1.0, self._seconds)

    def over(self) -> bool:
        """Whether it has used up its allowance, or stood still for as long."""
        now, used = time.monotonic(), processor_seconds(self._pid)
        if used is None or self._began is None or self._seen is None:
            return now - self._since >= self._seconds
        if used - self._began >= self._seconds:
            return True
        if now - self._since < self._window:
            return False
        idle = used - self._seen < _IDLE_SHARE * self._window
        self._seen, self._since = used, now
        return idle
