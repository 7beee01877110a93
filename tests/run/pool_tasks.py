"""Tasks for workers; a module of its own, so that a spawned process finds it by name."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.run.pools.port import tick


class Odd(Exception):
    """An exception that cannot be made again from what it holds."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def opened() -> dict[str, int]:
    """What a worker makes once."""
    return {"pid": os.getpid(), "orders": 0}


def refused() -> None:
    """A start that tells a user what is wrong."""
    raise UserError("There is no such pack.")


def dies_at_start() -> None:
    """A start that takes the process down."""
    os.kill(os.getpid(), signal.SIGKILL)


def square(made: dict[str, int], item: int) -> list[int]:
    """The square, and how many orders this worker had."""
    made["orders"] += 1
    return [item * item, made["orders"]]


def does(_: Any, what: str) -> Any:
    """Whatever the item says."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leave":
        sys.exit(3)
    if what == "hang":
        while True:
            pass
    if what == "tick for ever":
        while True:
            tick()
    if what == "odd":
        raise Odd(1, 2)
    if what == "user":
        raise UserError("It is full: make room.")
    if what == "ticks":
        [tick() for _ in range(3)]
    if what == "large":
        return "x" * (3 << 20)
    if what == "threads":
        return [threading.active_count(), os.environ.get("OMP_NUM_THREADS")]
    if what == "gpus":
        return os.environ.get("CUDA_VISIBLE_DEVICES")
    if what == "no json":
        return {1, 2}
    if what == "memory":
        return len(bytearray(1 << 30))
    return f"{what} done"


def dies_once(_: Any, item: tuple[Path, str]) -> str:
    """Takes its worker down the first time."""
    mark, name = item
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def beside(_: Any, item: tuple[Path, int]) -> list[str]:
    """Who is at work now: each leaves a note while it works; 0 dies when it is begun first."""
    folder, number = item
    again = (folder / f"begun-{number}").exists()
    (folder / f"begun-{number}").touch()
    note = folder / f"at-work-{number}"
    note.touch()
    time.sleep(0.3)
    found = sorted(path.name for path in folder.glob("at-work-*"))
    note.unlink()
    if number == 0 and not again:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


def noted(_: Any, item: tuple[Path, int, float]) -> int:
    """Takes its time, and leaves a file that says which process began which item."""
    folder, number, seconds = item
    (folder / f"{number}-{os.getpid()}").touch()
    time.sleep(seconds)
    return number
