"""A histogram as a drawing: kept samples above the axis, rejected ones below, bounds as lines.

Both sides have a scale of their own, since a filter rejects few of many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

WIDTH, HEIGHT = 330, 176
_LEFT, _RIGHT, _TOP, _AXIS, _FLOOR = 8, 322, 20, 100, 150
_BARS = 32
_LOG_FROM = 50
"""Positive values are drawn by their logarithm where the largest is this many times the least."""


@dataclass(frozen=True)
class Bar:
    """A rectangle in the drawing's pixels; `kind` is kept, rejected or other."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Scale:
    """Where a value stands, in pixels from the left; a value beyond an end stands on it."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of `value`."""
        low, high, value = (self._of(one) for one in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return _LEFT + min(1.0, max(0.0, share)) * (_RIGHT - _LEFT)

    def edges(self) -> np.ndarray:
        """The ends of the bars, float64 [bars + 1]."""
        if self.log:
            return np.geomspace(self.low, self.high, _BARS + 1)
        return np.linspace(self.low, self.high, _BARS + 1)

    def _of(self, value: float) -> float:
        return math.log(max(value, self.low)) if self.log else value


@dataclass(frozen=True)
class Histogram:
    """What is drawn. lines: name, value and place of each bound; most: the tallest bars' counts;
    least, largest: of values and bounds.
    """

    scale: Scale
    bars: tuple[Bar, ...]
    lines: tuple[tuple[str, float, float], ...]
    most: dict[str, int] = field(default_factory=dict)
    least: float = math.nan
    largest: float = math.nan
    axis: int = _AXIS


def scale_of(values: np.ndarray, bounds: Sequence[float]) -> Scale | None:
    """The scale that shows `values` and `bounds`; None where there is nothing to show."""
    known = np.concatenate([values[np.isfinite(values)], np.asarray(bounds, np.float64)])
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    if low > 0 and high > _LOG_FROM * low:
        return Scale(low, high * 1.0001, log=True)
    margin = 0.02 * (high - low) or 0.5 * max(1.0, abs(low))
    return Scale(low - margin, high + margin)


def drawn(
    kept: np.ndarray,
    rejected: np.ndarray,
    other: np.ndarray,
    bounds: Sequence[tuple[str, float]],
) -> Histogram | None:
    """The histogram of three sets of values (NaN is passed over), with its bounds."""
    values = np.concatenate([kept, rejected, other])
    scale = scale_of(values, [value for _, value in bounds])
    if scale is None or not np.isfinite(values).any():
        return None
    edges = scale.edges()
    up, mine, others = (
        np.histogram(one[np.isfinite(one)], edges)[0] for one in (kept, rejected, other)
    )
    most = {"kept": int(up.max()), "rejected": int((mine + others).max())}
    bars: list[Bar] = []
    for place in range(len(edges) - 1):
        x, end = scale.at(edges[place]), scale.at(edges[place + 1])
        tall = (_AXIS - _TOP) * up[place] / max(1, most["kept"])
        bars.append(Bar("kept", x, _AXIS - tall, end - x - 1, tall, count=int(up[place])))
        y = float(_AXIS)
        for kind, counts in (("rejected", mine), ("other", others)):
            deep = (_FLOOR - _AXIS) * counts[place] / max(1, most["rejected"])
            bars.append(Bar(kind, x, y, end - x - 1, deep, count=int(counts[place])))
            y += deep
    lines = tuple((name, value, scale.at(value)) for name, value in bounds)
    shown = np.concatenate([values[np.isfinite(values)], [value for _, value in bounds]])
    ends = float(shown.min()), float(shown.max())
    return Histogram(scale, tuple(bar for bar in bars if bar.count), lines, most, *ends)
