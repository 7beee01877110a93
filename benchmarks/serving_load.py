"""How the door bears load: clips a second of many clients against those of one, taking turns.

Clients send the next request when they have the reply to the last, and come again after the
seconds that a reply 'busy' names (at once with --rude). Meanwhile one more client sends bad
requests and asks for /ping. `--table` prints a row for each number of clients.
"""

import argparse
import statistics
import threading
import time
from dataclasses import dataclass, field

from benchmarks import doorstep
from benchmarks.result import Result

GOAL = 0.9
_ROWS = (1, 4, 16, 64)
_PAUSE_SECONDS = 0.05
_HEAD = "clients  clips/s  p50 s  p95 s  busy  busy p99 ms  bad p99 ms  ping p99 ms  other  MB"


@dataclass
class Seen:
    """Seconds of the replies in one stretch of load, by what they were."""

    clients: int
    seconds: float
    served: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    bad: list[float] = field(default_factory=list)
    ping: list[float] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    megabytes: float = 0.0

    @property
    def rate(self) -> float:
        """Clips a second."""
        return len(self.served) / self.seconds

    def row(self) -> str:
        """Its line of the table."""
        return (
            f"{self.clients:7} {self.rate:8.2f} {_at(self.served, 50):6.2f} "
            f"{_at(self.served, 95):6.2f} {len(self.busy):5} {1000 * _at(self.busy, 99):12.1f} "
            f"{1000 * _at(self.bad, 99):11.1f} {1000 * _at(self.ping, 99):12.1f} "
            f"{len(self.other):6} {self.megabytes:5.0f}"
        )


def _at(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    doorstep.add_folder(command)
    command.add_argument("--repeats", type=int, default=5, help="stretches of each side")
    command.add_argument("--seconds", type=float, default=20.0, help="of one stretch")
    command.add_argument("--clients", type=int, default=64, help="how many the many are")
    command.add_argument("--steps", type=int, help="denoising steps; the example's")
    command.add_argument("--rude", action="store_true", help="come again at once when sent away")
    command.add_argument("--table", action="store_true", help="print the table instead")


def run(options: argparse.Namespace) -> Result | None:
    """The median over the pairs of stretches; nothing with `--table`.

    Raises:
        UserError: there is no release to serve.
    """
    with doorstep.running(doorstep.release(options)) as door:
        stretch(door, options, 1)  # what is slow but once
        if options.table:
            print(_HEAD)
            for clients in _ROWS:
                print(stretch(door, options, clients).row(), flush=True)
            return None
        ratios = []
        doorstep.tell(_HEAD)
        for _ in range(options.repeats):
            alone, many = (stretch(door, options, count) for count in (1, options.clients))
            doorstep.tell(alone.row())
            doorstep.tell(many.row())
            ratios.append(many.rate / alone.rate if alone.rate else 0.0)
    return Result(statistics.median(ratios), GOAL, len(ratios), at_most=False)


def stretch(door: doorstep.Running, options: argparse.Namespace, clients: int) -> Seen:
    """Load by so many clients; replies that come after its end are not counted."""
    one = doorstep.record(options.steps)
    good, bad = doorstep.body(one), doorstep.body({**one, "seed": -1})
    seen = Seen(clients, options.seconds)
    end = time.perf_counter() + options.seconds
    threads = [
        threading.Thread(target=_client, args=(door, good, seen, end, options.rude))
        for _ in range(clients)
    ]
    threads.append(threading.Thread(target=_prober, args=(door, bad, seen, end)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.megabytes = door.megabytes
    return seen


def _client(door: doorstep.Running, good: bytes, seen: Seen, end: float, rude: bool) -> None:
    while time.perf_counter() < end:
        reply = door.post(good)
        if reply.status == 200:
            if time.perf_counter() < end:
                seen.served.append(reply.seconds)
        elif reply.status == 429:
            seen.busy.append(reply.seconds)
            time.sleep(0 if rude else max(0.0, min(reply.retry_after, end - time.perf_counter())))
        else:
            seen.other.append(reply.status)


def _prober(door: doorstep.Running, bad: bytes, seen: Seen, end: float) -> None:
    while time.perf_counter() < end:
        reply = door.post(bad)
        if reply.status == 400:
            seen.bad.append(reply.seconds)
        else:
            seen.other.append(reply.status)
        seen.ping.append(door.get("/ping").seconds)
        time.sleep(_PAUSE_SECONDS)
