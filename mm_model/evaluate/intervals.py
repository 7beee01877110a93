"""Uncertainty: the cluster bootstrap over people, with a fixed seed, and Wilson's for shares.

The unit of resampling is the person, since one person's clips are correlated.
"""

import math

import numpy as np

_Z95 = 1.959963984540054


def _draws(count: int, draws: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, count, size=(draws, count))


def mean_interval(
    values: list[float | None], *, draws: int, seed: int, confidence: float = 0.95
) -> dict[str, float | int | None]:
    """Mean over people with a percentile interval; people without a value are left out and counted.

    Fewer than two values give no interval (None), none gives no value.
    """
    known = np.array([v for v in values if v is not None], float)
    if not len(known):
        return {"value": None, "low": None, "high": None, "people": 0}
    low = high = None
    if len(known) > 1:
        means = known[_draws(len(known), draws, seed)].mean(axis=1)
        tail = (1 - confidence) / 2 * 100
        low, high = (float(v) for v in np.percentile(means, [tail, 100 - tail]))
    return {"value": float(known.mean()), "low": low, "high": high, "people": len(known)}


def paired_interval(
    first: list[float | None],
    second: list[float | None],
    *,
    draws: int,
    seed: int,
    confidence: float = 0.95,
) -> dict[str, float | int | None]:
    """Mean difference first - second over people who have both, with its interval."""
    differences = [
        a - b if a is not None and b is not None else None
        for a, b in zip(first, second, strict=True)
    ]
    return mean_interval(differences, draws=draws, seed=seed, confidence=confidence)


def wilson_interval(hits: float, count: int) -> tuple[float, float] | None:
    """95% interval of a share `hits / count` (Wilson's score); None for an empty count."""
    if not count:
        return None
    share, square = hits / count, _Z95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half = _Z95 * spread / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)
