"""Seconds from a move of the alias until the other release is served, while somebody asks without
a pause: the slowest of the moves over ten.

Two copies of this tree's champion take turns. A file stands for the registry; the check of every
byte, the start and the handing over are those of `make serve`.
"""

import argparse
import http.client
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import doorstep, follows_side
from benchmarks.result import Result
from mm_model.errors import UserError
from mm_model.store.layout import repository_root

GOAL, _MAY_TAKE = 1.0, 10.0


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--repeats", type=int, default=4, help="moves")
    command.add_argument("--pause", type=float, default=25.0, help="seconds before each move")
    command.add_argument("--unprepared", action="store_true", help="as with follow.prepare: false")


def run(options: argparse.Namespace) -> Result:
    """The slowest of the moves.

    Raises:
        UserError: nothing is served, or a request was not answered.
    """
    folder, digest = doorstep.champion()
    prepare = "no" if options.unprepared else "yes"
    with tempfile.TemporaryDirectory() as held:
        place = Path(held)
        for number in (1, 2):
            shutil.copytree(folder, place / str(number))
        follows_side.point(place, 1)
        following = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.follows_side", held, digest, prepare],
            cwd=repository_root(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            slowest = max(_moves(following, place, options))
        finally:
            following.terminate()
            following.wait()
    return Result(slowest / _MAY_TAKE, GOAL, options.repeats)


def _moves(following: subprocess.Popen, place: Path, options: argparse.Namespace) -> list[float]:
    """Seconds from each move to the sentence that the other is served."""
    assert following.stdout is not None
    port = int(_line(following, ""))
    _line(following, "a move of its alias is followed")
    asking = _Asking(port)
    took = []
    with asking:
        for turn in range(options.repeats):
            time.sleep(options.pause)
            number = 2 - turn % 2
            before = time.monotonic()
            follows_side.point(place, number)
            _line(following, f"Version {number} ")
            took.append(time.monotonic() - before)
            doorstep.tell(f"{took[-1]:.1f} s, {asking.answered} requests answered")
        time.sleep(options.pause)
    if not options.unprepared:
        doorstep.tell(f"{_own_megabytes(following):.0f} MB are the prepared process's own")
    if asking.failed:
        raise UserError(f"{asking.failed} requests were not answered.")
    return took


def _own_megabytes(following: subprocess.Popen) -> float:
    """Memory that nobody shares of the process that was started last."""
    import psutil

    last = max(psutil.Process(following.pid).children(), key=psutil.Process.create_time)
    return last.memory_full_info().uss / 1e6


def _line(following: subprocess.Popen, told: str) -> str:
    assert following.stdout is not None
    for line in following.stdout:
        if told in line:
            return line
    raise UserError("The release cannot be served: start 'make serve' to see why.")


class _Asking:
    """Somebody who asks without a pause."""

    def __init__(self, port: int) -> None:
        self.answered, self.failed = 0, 0
        self._port, self._over = port, False
        self._body = doorstep.body(doorstep.record())
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over:
            try:
                good = doorstep.ask(self._port, "POST", "/invocations", self._body).status == 200
            except (OSError, http.client.HTTPException):
                good = False
            self.answered, self.failed = self.answered + good, self.failed + (not good)

    def __enter__(self) -> "_Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
