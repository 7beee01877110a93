"""CPU time a photograph through sources, ingest and faces: of many files over that of a tenth.

Each side has what a run costs before its first file taken off, measured on forty files.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.result import Result
from benchmarks.tree import Tree, alone, draw, tell

GOAL = 1.15
_FEW = 40


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--photographs", type=int, default=5000, help="how many are many")


def run(options: argparse.Namespace) -> Result:
    """The ratio of one turn of each side."""
    alone()
    many = options.photographs
    with tempfile.TemporaryDirectory() as place:
        photographs = Path(place) / "photographs"
        (Path(place) / "tree").mkdir()
        tree = Tree(Path(place) / "tree" / "root")
        tree.use(photographs)
        cost: dict[int, float] = {}
        drawn = 0
        for count in (_FEW, _FEW, many // 10, many):
            draw(photographs, drawn, count - drawn)
            drawn = count
            tree.forget()
            cost[count] = tree.run()  # the first turn of the few pays for imports, and is not kept
            tell(f"{count} photographs: {cost[count]:.1f} s of CPU")
        each = {count: (cost[count] - cost[_FEW]) / (count - _FEW) for count in (many // 10, many)}
        return Result(each[many] / each[many // 10], GOAL, 1)
