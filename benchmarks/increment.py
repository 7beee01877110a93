"""What a small change costs over a run from nothing: its share of the CPU time.

Photographs go through sources, ingest and faces. Then one in a hundred is added; then a bound of
ingest changes, then one of faces. The ratio is the largest cost over what it may be: 0.03 of the
full run for the added files, 0.02 for a bound. A bound that opens a file at all breaks the goal.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.tree import STAGES, Tree, add_media, alone, fill, tell

GOAL = 1.0
_ADDED, _BOUND = 0.03, 0.02


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--photographs", type=int, default=10_000, help="of the full run")
    add_media(command)


class _Opened:
    """How many files were opened, by stage, since the last look."""

    def __init__(self) -> None:
        from mm_model.faces.workers import Workers
        from mm_model.ingest.sandbox import Sandbox

        self._counts = {"ingest": 0, "faces": 0}
        self._count(Sandbox, "check_all", "ingest", 0)
        self._count(Workers, "run", "faces", 1)

    def _count(self, owner: Any, name: str, stage: str, place: int) -> None:
        method: Callable[..., Any] = getattr(owner, name)

        def counted(this: Any, *given: Any) -> Any:
            items: Sequence[Any] = given[place]
            self._counts[stage] += len(items)
            return method(this, *given)

        setattr(owner, name, counted)

    def since(self) -> dict[str, int]:
        """The counts; they begin at 0 again."""
        found = dict(self._counts)
        self._counts.update(dict.fromkeys(found, 0))
        return found


def run(options: argparse.Namespace) -> Result:
    """The worst of three costs over what each may be."""
    alone()
    count = options.photographs
    opened = _Opened()
    with tempfile.TemporaryDirectory() as place:
        few, photographs = Path(place) / "few", Path(place) / "photographs"
        fill(options, few, 2 * count, 40)  # none of the others: those count as new
        fill(options, photographs, 0, count)
        (Path(place) / "tree").mkdir()
        tree = Tree(Path(place) / "tree" / "root")
        tree.look_with(options)
        tree.use(few)
        tree.run()  # imports, and the databases that every later run finds
        tree.use(photographs)
        opened.since()
        full = tree.run()
        tell(f"{count} photographs from nothing: {full:.1f} s of CPU, opened {opened.since()}")
        fill(options, photographs, count, count // 100)
        added = tree.run()
        tell(f"{count // 100} more: {added:.2f} s, {added / full:.4f}, opened {opened.since()}")
        worst = added / full / _ADDED
        for section, change in (
            ("ingest", {"static_below": 0.31, "text_area_above": 0.06}),
            ("faces", {"min_face": 40, "min_sharpness": 20}),
        ):
            tree.set(section, **change)
            stages = STAGES[STAGES.index(section) :]
            cost, touched = tree.run(*stages), opened.since()
            tell(f"{section} {change}: {cost:.2f} s, {cost / full:.4f}, opened {touched}")
            worst = max(worst, cost / full / _BOUND, *(float("inf") for n in touched.values() if n))
        return Result(worst, GOAL, 1)
