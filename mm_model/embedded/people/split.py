"""The one identity split of the procedural world, by seed range, fixed before any training.

Holds the five disjoint ranges and the look-up; refuses a seed outside all of them. Every manifest
that records people records seeds of these ranges (design choice: one split for all weights).
"""

from __future__ import annotations

WEIGHTS_PEOPLE = range(1400)
"""People that the shipped weights are trained on (200 of each category)."""

JUDGE_PEOPLE = range(2000, 3050)
"""People that only the judge's recogniser is trained on (150 of each category)."""

ENCODER_PEOPLE = range(20_000, 50_000)
"""People whose portraits train the identity encoder; of 1,400 it learned each by heart."""

TRAIN_PEOPLE = range(10_000, 20_000)
"""People of the main job's data set."""

HELD_OUT_PEOPLE = range(50_000, 60_000)
"""People of the evaluation; they are in no shipped weight and in no training."""

SPLITS: dict[str, range] = {
    "weights": WEIGHTS_PEOPLE,
    "judge": JUDGE_PEOPLE,
    "encoder": ENCODER_PEOPLE,
    "train": TRAIN_PEOPLE,
    "held_out": HELD_OUT_PEOPLE,
}


def split_of(seed: int) -> str:
    """Name of the split that owns ``seed``.

    Raises ``ValueError`` when no split owns it, so that nobody trains on people of unknown role.
    """
    for name, people in SPLITS.items():
        if seed in people:
            return name
    raise ValueError(
        f"person seed {seed} belongs to no split; use a seed of "
        + ", ".join(f"{name} {r.start}..{r.stop - 1}" for name, r in SPLITS.items())
    )
