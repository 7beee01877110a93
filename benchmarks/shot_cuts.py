"""How well cuts are told: our measure, the histogram alone, and PySceneDetect's two detectors.

On made clips (`benchmarks.cut_clips`) at 64 and 320 pixels. `ratio` is the share of clips that our
measure, at `ingest.cut_above` of the profiles, tells right, over that of the best of the others.
The table goes to stderr. PySceneDetect is left out where `scenedetect` is not installed.
"""

import argparse
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from benchmarks.cut_clips import CUT, Made, made
from benchmarks.result import Result
from mm_model.media import cuts
from mm_model.media.content import MotionMeter, reduced_size
from mm_model.settings import load_profile
from mm_model.store.layout import repository_root

GOAL = 1.0
_SIDES = (64, 320)
_FPS = 8.0

Told = Callable[[Made], bool]


def options(command: argparse.ArgumentParser) -> None:
    """How many clips of each kind at each size, and which ones."""
    command.add_argument("--each", type=int, default=20, help="clips of each kind and size")
    command.add_argument("--seed", type=int, default=1, help="which clips are made")


def run(given: Any) -> Result:
    """Make the clips, ask everybody, print the table."""
    bound = load_profile(repository_root(), "tiny").ingest.cut_above
    asked = _asked(1.0 if bound is None else bound)
    right = dict.fromkeys(asked, 0)
    total = 0
    for side in _SIDES:
        called: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(asked, 0))
        for clip in made(side, given.each, given.seed):
            total += 1
            for name, told in asked.items():
                answer = told(clip)
                called[clip.kind][name] += answer
                right[name] += answer == clip.cut
        _print(side, called, given.each)
    _say("right", {name: f"{number} of {total}" for name, number in right.items()})
    ours = right.pop("ours")
    return Result(ours / max(right.values()), GOAL, total, at_most=False)


def _asked(bound: float) -> dict[str, Told]:
    asked: dict[str, Told] = {
        "ours": lambda clip: (_meter(clip).cut or 0) > bound,
        "histogram": lambda clip: _neighbours(clip) > bound,
    }
    if importlib.util.find_spec("scenedetect") is None:
        return asked
    return asked | {"content": _by("ContentDetector"), "adaptive": _by("AdaptiveDetector")}


def _reduced(frame: np.ndarray) -> np.ndarray:
    size = reduced_size(frame.shape[1], frame.shape[0])
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _meter(clip: Made) -> MotionMeter:
    meter = MotionMeter()
    for frame in clip.frames:
        meter.add(_reduced(frame))
    return meter


def _neighbours(clip: Made) -> float:
    """Largest histogram distance of neighbours, whatever they show."""
    seen = np.stack([cuts.colour_histogram(_reduced(frame)) for frame in clip.frames])
    return 0.5 * float(np.abs(np.diff(seen, axis=0)).sum(axis=1).max())


def _by(name: str) -> Told:
    """A detector of PySceneDetect as it comes, but for its shortest scene: our clips are short."""
    library: Any = importlib.import_module("scenedetect")

    def told(clip: Made) -> bool:
        detector, found = getattr(library, name)(min_scene_len=1), []
        for number, frame in enumerate(clip.frames):
            moment = library.FrameTimecode(number, _FPS)
            found += detector.process_frame(moment, np.ascontiguousarray(frame[..., ::-1]))
        return bool(found + detector.post_process(moment))

    return told


def _print(side: int, called: dict[str, dict[str, int]], each: int) -> None:
    print(f"Called cut, of {each} clips of each kind at {side} pixels", file=sys.stderr)
    for kind, numbers in called.items():
        _say(("cut: " if kind in CUT else "not: ") + kind, numbers)


def _say(what: str, numbers: dict[str, Any]) -> None:
    print(f"{what:32}", *(f"{name} {n}".ljust(20) for name, n in numbers.items()), file=sys.stderr)
