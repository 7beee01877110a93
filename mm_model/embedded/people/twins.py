"""Colour twins: other people with somebody's colours, hair style, beard and glasses.

What is left to tell them apart is shape: of the face, eyes, brows, nose, mouth, ears. Their seeds
lie beyond every split, so no twin is anybody's training or test person.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mm_model.embedded.people.people import TRAIT_NAMES, Person

COUNT = 4
"""Twins of a person."""

FIRST_SEED = 1_000_000_000
"""Least seed of a twin."""

SHAPE = (
    *("face_width", "jaw", "chin", "cheeks", "temples"),
    *("eye_spacing", "eye_size", "eye_roundness", "eye_tilt"),
    *("brow_thickness", "brow_height", "brow_slope", "brow_arch"),
    *("nose_bridge", "mouth_width", "upper_lip", "lower_lip", "ear_size"),
)
"""Traits that differ; all others are the person's. Length of face and nose, width of the nose,
height of mouth and forehead, and the hair's volume are kept too: they change where a control of
colours measures, and how much shade lies there, so that it would see the shape."""

_STREAM = 0x7717


@lru_cache(maxsize=4096)
def twin(person: Person, k: int) -> Person:
    """Twin `k` (0 to 3) of `person`. Every trait of `SHAPE` lies a quarter of its range away.

    Distances go round from 1 to 0, so that a twin is as ordinary as anybody.

    Raises:
        ValueError: `k` is out of range, or `person` is a twin.
    """
    if not 0 <= k < COUNT:
        raise ValueError(f"twins are numbered from 0 to {COUNT - 1}, not {k}")
    if person.seed >= FIRST_SEED:
        raise ValueError(f"person {person.seed} is a twin and has none")
    rng = np.random.default_rng([_STREAM, person.seed, k])
    moved = dict(zip(SHAPE, rng.uniform(0.25, 0.75, len(SHAPE)), strict=True))
    traits = tuple(
        (value + float(moved[name])) % 1.0 if name in moved else value
        for name, value in zip(TRAIT_NAMES, person.traits, strict=True)
    )
    return Person(FIRST_SEED + COUNT * person.seed + k, person.category, traits)


def twins(person: Person) -> tuple[Person, ...]:
    """All twins of `person`, in order."""
    return tuple(twin(person, k) for k in range(COUNT))
