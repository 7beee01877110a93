"""Taking turns with a clock: A B B A, warm-ups apart, medians, and an interval for a ratio.

On a GPU the clock is a pair of events and one wait a step.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[int], Tensor]
"""Predicts for the step of a number."""
_DRAWS = 2000
_MOST = 200.0
"""dB between what differs in no bit; a JSON file holds no infinity."""


@dataclass(frozen=True)
class Turns:
    """Milliseconds of each side, turn by turn; the i-th of all sides belong together."""

    milliseconds: Mapping[str, list[float]]
    first: Mapping[str, float]
    """Of each side's first step, compiling included."""

    def median(self, side: str) -> float:
        """Milliseconds of a side's step."""
        return statistics.median(self.milliseconds[side])

    def spread(self, side: str) -> tuple[float, float]:
        """The quarters below and above the median."""
        low, _, high = statistics.quantiles(self.milliseconds[side], n=4)
        return low, high

    def ratio(self, over: str, under: str) -> tuple[float, float, float]:
        """Median ratio of two sides' turns, and the 95% interval that resampling them gives."""
        pairs = [
            a / b for a, b in zip(self.milliseconds[over], self.milliseconds[under], strict=True)
        ]
        rng = random.Random(7)
        drawn = sorted(statistics.median(rng.choices(pairs, k=len(pairs))) for _ in range(_DRAWS))
        return (
            statistics.median(pairs),
            drawn[int(0.025 * _DRAWS)],
            drawn[int(0.975 * _DRAWS) - 1],
        )


def clocked(step: Step, number: int, device: torch.device) -> float:
    """Milliseconds of one step."""
    if device.type != "cuda":
        began = time.perf_counter()
        step(number)
        return 1e3 * (time.perf_counter() - began)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    step(number)
    end.record()
    torch.cuda.synchronize(device)
    return float(start.elapsed_time(end))


def taken_in_turns(
    sides: Mapping[str, Step], device: torch.device, *, warm: int, turns: int, ends: float
) -> Turns | None:
    """`turns` steps of every side, in an order that turns round each time, after `warm` of each.

    None when the time is up before the first eight turns, or `turns` if those are fewer.
    """
    first = {name: clocked(step, 0, device) for name, step in sides.items()}
    for number in range(1, warm):
        for step in sides.values():
            step(number)
    found: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(turns):
        if time.monotonic() > ends:
            break
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(clocked(sides[name], turn, device))
    if len(found[names[0]]) < min(8, turns):
        return None
    return Turns(found, first)


def agreement(ours: Sequence[Tensor], reference: Sequence[Tensor]) -> tuple[float, float]:
    """Least cosine, and least PSNR in dB over the reference's range, of predictions on the CPU."""
    cosines, noise = [], []
    for made, wanted in zip(ours, reference, strict=True):
        a, b = made.double().flatten(), wanted.double().flatten()
        cosines.append(float(a @ b / (a.norm() * b.norm())))
        error, peak = float((a - b).square().mean()), float(b.max() - b.min())
        noise.append(min(_MOST, 10 * math.log10(peak**2 / max(error, 1e-300))))
    return min(cosines), min(noise)
