"""What a classifier of watermarks says of made pictures: faces, patterns, watermarks, other text.

`ratio` is the share of made watermarks and corner logos that lie above the bound, less the share of
clean pictures that do. The table goes to stderr. Takes a model of one's own.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.text_looks import CLEAN, TEXT, made
from mm_model.classifiers.picture import PictureClassifier

GOAL = 0.5
_MARKED = ("watermarks", "corner logos")


def options(command: argparse.ArgumentParser) -> None:
    """Which model is asked about which of its labels, and of how many pictures."""
    command.add_argument("--model", type=Path, required=True, help="its folder")
    command.add_argument("--label", required=True, help="which of its labels means a watermark")
    command.add_argument("--above", type=float, default=0.8, help="the bound")
    command.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"))
    command.add_argument("--each", type=int, default=25, help="pictures of each of eight kinds")
    command.add_argument("--seed", type=int, default=1, help="which pictures are made")


def run(given: Any) -> Result:
    """Score every picture, print the table."""
    asked = PictureClassifier(given.model, given.label, given.device, way_out="name another model")
    pictures = list(made(given.each, given.seed))
    started = time.process_time()
    scores = asked.scores([picture for _, _, picture in pictures])
    spent = 1000 * (time.process_time() - started) / len(pictures)
    by_kind: dict[str, list[float]] = {kind: [] for kind in CLEAN | TEXT}
    for (kind, _, _), score in zip(pictures, scores, strict=True):
        by_kind[kind].append(score)
    print(f"Of {given.each} each, bound {given.above:g}; {spent:.0f} ms a picture", file=sys.stderr)
    print("", "above", "least", "middle", "most", sep=" | ", file=sys.stderr)
    for kind, told in by_kind.items():
        ends = [f"{sorted(told)[place]:.3f}" for place in (0, len(told) // 2, -1)]
        print(kind, _above(told, given.above), *ends, sep=" | ", file=sys.stderr)
    marked = [score for kind in _MARKED for score in by_kind[kind]]
    clean = [score for kind in CLEAN for score in by_kind[kind]]
    found, lost = (_above(part, given.above) / len(part) for part in (marked, clean))
    return Result(found - lost, GOAL, len(pictures), at_most=False)


def _above(scores: list[float], bound: float) -> int:
    return sum(score > bound for score in scores)
