"""Colour twins: people of one person's colours, with faces of other shapes.

A twin shares skin, hair, beard, glasses, age and category with the person; what lies between
forehead and chin differs. Who tells them apart by colour alone is at chance. Twins are in no split:
nothing trains on them, and they exist only while they are drawn.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from mm_model.embedded.people.people import TRAIT_NAMES, Person

TWINS = 4
"""How many twins a person has; between the person and them, chance is one in five."""

SHAPES = (
    "jaw",
    "chin",
    "eye_size",
    "eye_roundness",
    "eye_tilt",
    "brow_thickness",
    "brow_slope",
    "brow_arch",
    "mouth_width",
    "upper_lip",
    "lower_lip",
)
"""The identity numbers in which a twin differs."""

_STREAM = 0x7717


@lru_cache(maxsize=4096)
def twin(person: Person, number: int) -> Person:
    """The twin `number`, from 0 to `TWINS` - 1; the same every time.

    Raises:
        ValueError: there is no such twin.
    """
    if not 0 <= number < TWINS:
        raise ValueError(f"a person has {TWINS} twins, numbered from 0; {number} is none")
    drawn = np.random.default_rng([_STREAM, person.seed, number]).random(len(SHAPES))
    other = dict(zip(SHAPES, drawn, strict=True))
    pairs = zip(TRAIT_NAMES, person.traits, strict=True)
    return replace(person, traits=tuple(float(other.get(name, value)) for name, value in pairs))
