"""Workers of a Ray cluster over as many of one machine: seconds of a data stage on equal files.

`--nodes 2` is two nodes of one CPU against one local set of two processes, `--nodes 1` one node of
two CPUs against the same. The cluster stands before the clock starts, on this machine, as it
would on others; joining it and starting the workers counts, as starting local ones does. Both sides
take turns, and the fastest turn of each counts.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.result import Result
from benchmarks.tree import Tree, add_media, alone, fill, tell
from mm_model.run.pools import cluster
from mm_model.run.pools.table import VARIABLE
from mm_model.store import digests

GOAL = 0.85
GOALS = {2: GOAL, 1: 0.92}
_PROCESSES = 2


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--nodes", type=int, choices=tuple(GOALS), default=2)
    command.add_argument("--stage", choices=("faces", "ingest"), default="faces")
    command.add_argument("--count", type=int, default=4000, help="photographs")
    command.add_argument("--repeats", type=int, default=3, help="turns of each side")
    add_media(command)


def run(options: argparse.Namespace) -> Result:
    """Seconds of the local processes over those of the cluster's workers: its share of speed.

    Raises:
        UserError: Ray is not installed.
    """
    alone()
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as place, _nodes(options.nodes):
        fill(options, Path(place) / "files", 0, options.count)
        tree = Tree(Path(place) / "root")
        tree.look_with(options)
        tree.use(Path(place) / "files")
        tree.run("sources", "ingest")
        told = set()
        for repeat in range(options.repeats):
            for name, found in seconds.items():
                tree.forget("faces", *(("ingest",) if options.stage == "ingest" else ()))
                os.environ[VARIABLE] = name
                began = time.monotonic()
                tree.run(options.stage)
                found.append(time.monotonic() - began)
                told.add(digests.of_folder(tree.output(options.stage)))
                load = os.getloadavg()[0]
                tell(f"turn {repeat + 1}: {name} {found[-1]:.1f} s, load {load:.1f}")
    tell("the same bytes" if len(told) == 1 else "NOT the same bytes")
    ratio = min(seconds["local"]) / min(seconds["ray"]) if len(told) == 1 else 0.0
    return Result(ratio, GOALS[options.nodes], options.repeats, at_most=False)


@contextmanager
def _nodes(number: int) -> Iterator[None]:
    """A cluster on this machine with as many CPUs as the local side has processes."""
    each = {"num_cpus": _PROCESSES // number}
    before = {name: os.environ.get(name) for name in (VARIABLE, cluster.ADDRESS)}
    made = cluster.library("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={**each, "include_dashboard": False}
    )
    try:
        for _ in range(number - 1):
            made.add_node(**each)
        os.environ[VARIABLE] = "local"
        os.environ[cluster.ADDRESS] = made.address
        yield
    finally:
        made.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
