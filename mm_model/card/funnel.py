"""The funnel: how many samples each stage leaves, beside the numbers of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass

from mm_model.card import kinds
from mm_model.card.outputs import DataOutput

WIDTH, ROW = 330, 44


@dataclass(frozen=True)
class Step:
    """A bar of the funnel. of_last: the share that the step before left; width: in pixels."""

    title: str
    count: int
    of_last: float | None
    width: float


@dataclass(frozen=True)
class Funnel:
    """Steps that begin with everything there was."""

    title: str
    steps: tuple[Step, ...]

    @property
    def height(self) -> int:
        """Of the drawing, in pixels."""
        return ROW * len(self.steps) + 6


PAPER = (
    (
        "LAION-Face",
        (("downloaded", 5_000_000), ("quality", 107_000), ("no text, captioned", 50_000)),
    ),
    ("SFHQ", (("synthetic portraits", 120_000),)),
    ("FFHQ", (("portraits", 70_000), ("with synthesised ones", 202_000))),
    ("Pexels and Mixkit", (("clips", 29_000), ("with synthesised references", 149_000))),
)
"""Sets of the paper's stage 1 and 2 with their sizes (arXiv 2501.03931, Figure 5 and the section on
data): of FFHQ 70 K and 132 K synthesised, of the clips 29 K and 120 K, read as the figure's caption
has it, images and synthesised images."""


def ours(outputs: Mapping[str, DataOutput]) -> list[Funnel]:
    """The funnel of files and that of pairs, as far as stages have run."""
    files: list[tuple[str, int]] = []
    if outputs["sources"].there:
        counts = outputs["sources"].counts
        files += [("files found", counts.total), ("listed (sources)", counts.kept)]
    for stage, title in (("ingest", "usable (ingest)"), ("faces", "one face (faces)")):
        if outputs[stage].there:
            files.append((title, outputs[stage].counts.kept))
    if (number := kinds.targets(outputs)) is not None:
        files.append(("has a reference (pairs)", number))
    found = [funnel("Files of this dataset", files)] if files else []
    if outputs["pairs"].there:
        counts = outputs["pairs"].counts
        steps = [("pairs tried", counts.total), ("pairs kept", counts.kept)]
        found.append(funnel("Pairs of this dataset", steps))
    return found


def paper() -> list[Funnel]:
    """The paper's funnels."""
    return [funnel(title, list(steps)) for title, steps in PAPER]


def funnel(title: str, steps: list[tuple[str, int]]) -> Funnel:
    """Bars whose widths are to the largest as their counts."""
    most = max((count for _, count in steps), default=0) or 1
    made: list[Step] = []
    last: int | None = None
    for name, count in steps:
        share = None if last is None or not last else count / last
        made.append(Step(name, count, share, (WIDTH - 8) * count / most))
        last = count
    return Funnel(title, tuple(made))
