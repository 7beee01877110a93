"""What one worker of a cluster does: a pool of one process, so that all limits are the same.

Orders and replies are bytes. The reply about a confined item is JSON, as the item's own reply is,
so that who asked unpickles nothing that a hostile file may have written.
"""

import json
import pickle
import sys
from dataclasses import replace
from typing import Any

from mm_model.environment import silence_telemetry
from mm_model.run.pools.local import Local
from mm_model.run.pools.port import Crashed, Limits, Start

RESULTS, RAISED = b"v", b"e"
"""First byte of a reply."""


def order(task: Any, items: list[Any]) -> bytes:
    """For `Slot.work`."""
    return pickle.dumps([pickle.dumps((task, item)) for item in items])


def outcome(reply: bytes, limits: Limits) -> list[Any]:
    """What became of each item of an order.

    Raises:
        Exception: what a task raised.
    """
    kind, body = reply[:1], reply[1:]
    if kind == RAISED:
        raise pickle.loads(body)
    if not limits.confined:
        found = pickle.loads(body)
        return [one if isinstance(one, Crashed) else pickle.loads(one) for one in found]
    return [
        Crashed(late=said["late"]) if "late" in said else said["value"] for said in json.loads(body)
    ]


class _Start:
    """A start that only the process that needs it unpickles: it may import large libraries."""

    def __init__(self, start: bytes) -> None:
        self._start = start

    def __call__(self) -> Any:
        start: Start = pickle.loads(self._start)
        return start()


def _confined(made: Any, said: bytes) -> Any:
    task, item = pickle.loads(said)
    return task(made, item)


def _usual(made: Any, said: bytes) -> bytes:
    """What was done goes on as it is, so that this side imports nothing for it either."""
    return pickle.dumps(_confined(made, said))


class Slot:
    """`start` and `limits` are as `open_pool` takes them; `limits.tries` is not for this side."""

    def __init__(self, start: bytes, limits: Limits) -> None:
        silence_telemetry()
        # The program of this process is the cluster's: a spawned child would run it once more.
        sys.modules["__main__"].__file__ = None
        once = replace(limits, tries=1)
        self._limits, self._pool = limits, Local(_Start(start), 1, once)

    def work(self, said: bytes) -> bytes:
        """Work on the items of an order, one after the other; see `outcome`."""
        task = _confined if self._limits.confined else _usual
        try:
            found = list(self._pool.map(task, pickle.loads(said)))
        except Exception as error:
            return RAISED + pickle.dumps(error)
        if not self._limits.confined:
            return RESULTS + pickle.dumps(found)
        told = [{"late": one.late} if isinstance(one, Crashed) else {"value": one} for one in found]
        return RESULTS + json.dumps(told).encode()
