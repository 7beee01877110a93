"""Table 3 of the paper: parameters, memory and seconds of the plain base and of ours.

Random weights of full size on one GPU of 80 GB; `--size small` is the same on a CPU in a minute,
for the sake of the commands alone. Nothing is downloaded, and no weights are needed. Each phase is
a process of its own and ends within `--minutes`; every row is written to `--out` as soon as it is
there, and a row that is there is not measured again: who stops it, or runs out of time, gives the
same command again. One phase: `--phase NAME`. What is claimed is a ratio inside one run: ours over
the base in time and in memory, and the plain eager base over ours without any approximation. The
result is the worst of the three over its goal.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.result import Result
from benchmarks.table3.sheet import MeasuredRows
from mm_model.errors import UserError

GOAL = 1.0
GOALS = {"time": 1.005, "memory": 0.99, "speed-up": 1.5}
"""Ours over the base, at most; peak of ours over the plain base's, at most; eager over exact."""
PHASES = ("parameters", "machine", "memory", "eager", "exact", "cached", "whole")
_TRIES = 4
"""Processes in which a phase may go on where the one before had no more time."""
SIZES = ("full", "small")


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--size", choices=SIZES, default="full", help="small: a dry run on a CPU")
    command.add_argument("--phase", choices=PHASES, help="this one alone; all in order otherwise")
    command.add_argument("--minutes", type=float, default=8.5, help="after which a phase ends")
    command.add_argument("--out", type=Path, default=Path("work/table3.json"), help="the rows")
    command.add_argument("--preset", default="paper", help="the adapter's size")
    command.add_argument(
        "--compiler", default="inductor", help="torch.compile's backend; eager compiles nothing"
    )


def run(options: argparse.Namespace) -> Result | None:
    """Measure what is lacking; the result once all is there, None for a part or a small size.

    Raises:
        UserError: there is no GPU for the full size, the file is another machine's, or a phase
            failed.
    """
    if options.phase:
        _phase(options)
        return None
    for phase in PHASES:
        for _ in range(_TRIES):
            if MeasuredRows.open(options.out, options.size, options.preset).finished.get(phase):
                break
            _in_a_process(options, phase)
    rows = MeasuredRows.open(options.out, options.size, options.preset)
    if lacking := [name for name in PHASES if not rows.finished.get(name)]:
        print(f"Not finished: {', '.join(lacking)}. Give the same command again.", file=sys.stderr)
        return None
    return _result(rows, options.size)


def _phase(options: argparse.Namespace) -> None:
    """One phase, in this process."""
    from benchmarks.table3 import phases
    from benchmarks.table3.ways import Setting

    rows = MeasuredRows.open(options.out, options.size, options.preset)
    ends = time.monotonic() + 60 * options.minutes
    phases.run(options.phase, Setting.of(options, rows, ends))


def _in_a_process(options: argparse.Namespace, phase: str) -> None:
    """One phase in a process of its own, which has the whole device and gives it back."""
    asked = [f"--size={options.size}", f"--phase={phase}", f"--minutes={options.minutes}"]
    asked += [f"--out={options.out}", f"--preset={options.preset}"]
    asked += [f"--compiler={options.compiler}"]
    command = [sys.executable, "-m", "benchmarks", "table3", *asked]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        raise UserError(
            f"The phase {phase} of table3 did not end well; what it measured is in {options.out}: "
            "mend what it says above, then give the same command again."
        )


def _result(rows: MeasuredRows, size: str) -> Result | None:
    found = {
        "time": rows.value("eager", "time, ours over base"),
        "memory": rows.value("memory", "peak, ours with tables over base"),
        "speed-up": rows.value("exact", "speed-up, plain eager base over ours exact"),
    }
    over = {
        "time": found["time"] / GOALS["time"],
        "memory": found["memory"] / GOALS["memory"],
        "speed-up": GOALS["speed-up"] / found["speed-up"],
    }
    for name, value in found.items():
        said = f"{name}: {value:.4f}, goal {GOALS[name]}, {'kept' if over[name] <= 1 else 'missed'}"
        print(said, file=sys.stderr)
    if size != "full":
        print("A dry run: small weights on this machine say nothing of a GPU.", file=sys.stderr)
        return None
    return Result(max(over.values()), GOAL, 1)
