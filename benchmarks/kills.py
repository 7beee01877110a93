"""A run of the data that is killed three times, over one that is not: CPU seconds of both.

`python -m mm_model run` of ingest and faces is killed with SIGKILL, workers and all, after a
quarter, a half and three quarters of its undisturbed time, and started again each time. Another
byte in an output breaks the goal.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.result import Result
from benchmarks.tree import Tree, add_media, alone, fill, tell
from mm_model.errors import UserError
from mm_model.store import manifest

GOAL = 1.05
_STAGES = ("ingest", "faces")
_KILLS = 3


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--photographs", type=int, default=6400, help="64 go into a shard")
    add_media(command)


def run(options: argparse.Namespace) -> Result:
    """The ratio; each stage is killed three times."""
    alone()
    with tempfile.TemporaryDirectory() as place:
        photographs = Path(place) / "photographs"
        fill(options, photographs, 0, options.photographs)
        (Path(place) / "tree").mkdir()
        tree = Tree(Path(place) / "tree" / "root")
        tree.look_with(options)
        tree.use(photographs)
        tree.run("sources")
        whole, seconds, digests = 0.0, {}, {}
        for stage in _STAGES:
            began = time.monotonic()
            whole += undisturbed(tree.root, stage)
            seconds[stage] = time.monotonic() - began
            digests[stage] = manifest.read(tree.output(stage)).digest
        tree.forget(*_STAGES)
        killed, same = 0.0, True
        for stage in _STAGES:
            for _ in range(_KILLS):
                killed += _killed(tree.root, stage, seconds[stage] / (_KILLS + 1))
            killed += undisturbed(tree.root, stage)
            same = same and manifest.read(tree.output(stage)).digest == digests[stage]
        tell(f"undisturbed {whole:.1f} s of CPU, killed {killed:.1f} s, same bytes: {same}")
        return Result(killed / whole if same else float("inf"), GOAL, 1)


def _start(root: Path, stage: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mm_model", "run", stage],
        env=os.environ | {"MM_ROOT": str(root)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def undisturbed(root: Path, stage: str) -> float:
    """CPU seconds of a stage that runs undisturbed in a process of its own, workers included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if _start(root, stage).wait() != 0:
        raise UserError(f"The stage {stage} of the benchmark's own tree failed.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _killed(root: Path, stage: str, after: float) -> float:
    """CPU seconds of a run that is killed with all its workers after so many seconds."""
    process = _start(root, stage)
    time.sleep(after)
    tree = psutil.Process(process.pid)
    everyone = [tree, *tree.children(recursive=True)]
    used = sum(sum(one.cpu_times()[:4]) for one in everyone)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(everyone, timeout=30)
    return float(used)
