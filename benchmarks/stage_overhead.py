"""What Dagster and DVC add to a stage's own command: the median over the stages, in seconds.

The stages are those of the tests' toy tree, which compute nothing but start, read their inputs and
write their outputs as the real ones do. Each repeat runs all of them through Dagster, then each
command alone. The ratio is the median over the 1.5 s that it may be.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.result import Result
from benchmarks.tree import tell
from mm_model.store.layout import repository_root

if TYPE_CHECKING:
    from tests.graph.conftest import Tree

GOAL, _MAY_BE = 1.0, 1.5


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--repeats", type=int, default=3)


def run(options: argparse.Namespace) -> Result:
    """The median of all stages and repeats."""
    from tests.graph.conftest import STAGES, Tree, plant

    os.environ["PYTHONPATH"] = str(repository_root())
    added: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        plant(Path(place) / "tree")
        tree = Tree(Path(place) / "tree")
        for repeat in range(options.repeats + 1):
            (tree.root / "raw" / f"new-{repeat}").write_text(str(repeat))
            through = _through_dagster(tree)
            bare = {name: _bare(tree, name) for name in STAGES}
            found = {name: through[name] - bare[name] for name in STAGES}
            tell(" ".join(f"{name} {found[name]:.2f}+{bare[name]:.2f}" for name in STAGES))
            if repeat:  # the first one imports for the first time
                added += found.values()
    median = statistics.median(added)
    tell(f"median {median:.2f} s, worst {max(added):.2f} s")
    return Result(median / _MAY_BE, GOAL, options.repeats)


def _through_dagster(tree: "Tree") -> dict[str, float]:
    """Seconds from the start of each step to its end."""
    result = tree.dagster()
    assert result.success
    begun: dict[str, float] = {}
    took: dict[str, float] = {}
    for entry in tree.instance.all_logs(result.run_id):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        if event.event_type_value == "STEP_START":
            begun[event.step_key] = entry.timestamp
        elif event.event_type_value == "STEP_SUCCESS":
            took[event.step_key] = entry.timestamp - begun[event.step_key]
    return took


def _bare(tree: "Tree", stage: str) -> float:
    before = time.monotonic()
    command = [sys.executable, "toy_stage.py", stage]
    subprocess.run(command, cwd=tree.root, check=True, capture_output=True)
    return time.monotonic() - before
