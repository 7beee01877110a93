"""What the door costs: one request over the wire against the direct call of the same model.

The direct call is `Mirror.answer` on the main thread of this process; the door runs in a process of
its own. The two take turns, the same record each time, so both compute the same clip.
"""

import argparse
import base64
import json
import statistics
import time

from benchmarks import doorstep
from benchmarks.result import Result
from mm_model.environment import bound_threads, keep_freed_memory
from mm_model.errors import UserError

GOAL = 1.05
_WARM = 3


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    doorstep.add_folder(command)
    command.add_argument("--repeats", type=int, default=30, help="pairs that are timed")


def run(options: argparse.Namespace) -> Result:
    """The median of the paired ratios.

    Raises:
        UserError: there is no release, or the two sides do not make the same clip.
    """
    folder = doorstep.release(options)
    keep_freed_memory()
    bound_threads(2)
    from mlflow.pyfunc import load_model

    direct = load_model(str(folder)).unwrap_python_model().mirror
    one = doorstep.record()
    sent = doorstep.body(one)
    pairs: list[tuple[float, float]] = []
    with doorstep.running(folder) as door:
        for turn in range(_WARM + options.repeats):
            started = time.perf_counter()
            answered = direct.answer(one)
            alone = time.perf_counter() - started
            reply = door.post(sent)
            video = base64.b64decode(json.loads(reply.body)["predictions"][0]["video_mp4"])
            if video != base64.b64decode(answered["video_mp4"]):
                raise UserError("The door and the direct call did not make the same clip.")
            if turn >= _WARM:
                pairs.append((alone, reply.seconds))
    ratio = statistics.median(wire / alone for alone, wire in pairs)
    added = statistics.median(wire - alone for alone, wire in pairs)
    middle = statistics.median(alone for alone, _ in pairs)
    doorstep.tell(f"direct {1000 * middle:.0f} ms, the door adds {1000 * added:+.1f} ms")
    return Result(ratio, GOAL, len(pairs))
