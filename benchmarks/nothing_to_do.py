"""What a run costs that has nothing to do: the slowest of three ways over a full run.

The tree is a clone of this one, at its last commit. The full run and the first way are `make run`'s
own command, the second is `dvc repro`, the third Dagster's job `everything`, as its page starts it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import Result
from benchmarks.tree import tell
from mm_model.errors import UserError
from mm_model.store.layout import repository_root

GOAL = 0.05
_WAYS = {
    "make run": ("orchestration.run",),
    "dvc repro": ("dvc", "repro"),
    "Dagster's job": ("dagster", *"job execute -m orchestration.definitions -j everything".split()),
}


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--repeats", type=int, default=3)


def run(options: argparse.Namespace) -> Result:
    """The worst of the three ways, the best of the repeats of each."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "tree"
        command = ["git", "clone", "--quiet", str(repository_root()), str(root)]
        subprocess.run(command, check=True)
        full = _seconds(root, "make run")
        tell(f"a full run: {full:.1f} s")
        worst = 0.0
        for way in _WAYS:
            took = min(_seconds(root, way) for _ in range(options.repeats))
            tell(f"{way} with nothing to do: {took:.1f} s, {took / full:.4f}")
            worst = max(worst, took / full)
    return Result(worst, GOAL, options.repeats)


def _seconds(root: Path, way: str) -> float:
    home = root / "work" / "dagster"
    told = {"MM_ROOT": str(root), "PYTHONPATH": str(root), "DAGSTER_HOME": str(home)}
    own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *_WAYS[way]],
        cwd=root,
        env={**os.environ, **told, "PATH": own},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f"{way} failed: {(done.stdout + done.stderr)[-1500:]}")
    return time.monotonic() - before
