"""Keeps a team's services at work: one that ends is started again after a pause that grows.

Each writes to a log of its own. All end with this process, however it ends
(`orchestration/process_group.py`).
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestration.process_group import ProcessGroup
from orchestration.team.services import Service

Say = Callable[[str], None]
_FIRST, _LONGEST = 2.0, 30.0
"""Seconds before a service is started again: at first, and at most."""
_LASTED = 60.0
"""Seconds after which the pause begins anew."""
_GRACE = 3.0
_LOG_BYTES = 10_000_000
_REMEMBERED = 500


class Keeper:
    """Starts each service in a thread of its own and keeps it until `end`."""

    def __init__(self, services: Sequence[Service], cwd: Path, logs: Path, say: Say) -> None:
        self._cwd, self._logs, self._say = cwd, logs, say
        self._over = threading.Event()
        self._groups: dict[str, ProcessGroup] = {}
        self._threads = [
            threading.Thread(target=self._keep, args=(service,), name=service.name)
            for service in services
        ]

    def start(self) -> None:
        """Start all of them."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Interrupt all of them and wait for their end; whoever ends this process ends the deaf."""
        self._over.set()
        for group in list(self._groups.values()):
            group.interrupt()
        for thread in self._threads:
            thread.join()

    def _keep(self, service: Service) -> None:
        pause = _FIRST
        while not self._over.is_set():
            began = time.monotonic()
            status, last = self._once(service)
            if self._over.is_set():
                return
            pause = _FIRST if time.monotonic() - began > _LASTED else pause
            self._say(f"{service.name} ended ({status}), again in {pause:.0f} s. Last: {last}")
            self._over.wait(pause)
            pause = min(2 * pause, _LONGEST)

    def _once(self, service: Service) -> tuple[int, str]:
        """Run a service to its end; its status and the last line it printed."""
        path, last = self._logs / f"{service.name}.log", "nothing"
        group = ProcessGroup(service.command, self._cwd, service.environment, _GRACE)
        if path.is_file() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a") as log, group:
            self._groups[service.name] = group
            if self._over.is_set():
                group.interrupt()
            for line in group.lines():
                last = line[:_REMEMBERED] or last
                log.write(f"{line}\n")
                log.flush()
            return group.wait(), last
