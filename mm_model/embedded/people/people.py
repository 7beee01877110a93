"""Who a procedural person is: a category and a vector of identity numbers, drawn from one seed.

Holds nothing that changes between two pictures of a person; lengths and colours are derived from it
in ``appearance.py``. A trait that a category cannot show (a baby's beard) is stored as 0, so the
numbers describe what can be seen and serve as regression targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

CATEGORIES = ("man", "woman", "elderly man", "elderly woman", "boy", "girl", "baby")
"""The seven groups of the paper's test set (Magic Mirror, section 4.1)."""

TRAIT_NAMES = (
    "face_width",
    "face_length",
    "jaw",
    "chin",
    "cheeks",
    "temples",
    "forehead",
    "skin_tone",
    "skin_warmth",
    "eye_spacing",
    "eye_size",
    "eye_roundness",
    "eye_tilt",
    "eye_colour",
    "brow_thickness",
    "brow_height",
    "brow_slope",
    "brow_arch",
    "nose_length",
    "nose_width",
    "nose_bridge",
    "mouth_width",
    "mouth_height",
    "upper_lip",
    "lower_lip",
    "lip_colour",
    "ear_size",
    "hair_colour",
    "hair_style",
    "hair_length",
    "hair_volume",
    "hair_parting",
    "beard",
    "beard_darkness",
    "glasses",
    "freckles",
    "mole",
    "mole_side",
    "maturity",
)

HAIR_STYLES = (
    "bald",
    "receding",
    "fuzz",
    "crop",
    "side",
    "quiff",
    "bowl",
    "curly",
    "afro",
    "bob",
    "fringe",
    "long",
    "wavy",
    "bun",
    "pigtails",
)
EARS_COVERED = ("bob", "fringe", "long", "wavy")
BEARDS = ("none", "stubble", "moustache", "goatee", "full", "long")
GLASSES = ("none", "round", "square", "thick", "large")

_HAIR_OF = {
    "man": ("bald", "receding", "crop", "side", "quiff", "curly", "afro", "wavy", "bowl"),
    "woman": ("bob", "fringe", "long", "wavy", "bun", "afro", "side", "long"),
    "elderly man": ("bald", "receding", "crop", "side", "quiff", "receding"),
    "elderly woman": ("curly", "bun", "bob", "fringe", "afro", "wavy"),
    "boy": ("crop", "side", "quiff", "bowl", "curly", "afro"),
    "girl": ("bob", "fringe", "long", "wavy", "bun", "pigtails", "afro"),
    "baby": ("bald", "fuzz", "fuzz", "crop", "curly"),
}
_GLASSES_RATE = {
    "man": 0.28,
    "woman": 0.25,
    "elderly man": 0.45,
    "elderly woman": 0.45,
    "boy": 0.2,
    "girl": 0.2,
    "baby": 0.0,
}
_PEOPLE_STREAM = 0x6D6D  # keeps the people's draws apart from every other use of the same seed


@dataclass(frozen=True)
class Person:
    """One procedural person.

    ``traits`` holds ``len(TRAIT_NAMES)`` numbers in [0, 1]; ``seed`` also places freckles.
    """

    seed: int
    category: str
    traits: tuple[float, ...]

    def vector(self) -> np.ndarray:
        """The identity numbers, float32 [K] in [0, 1], category excluded (regression target)."""
        return np.asarray(self.traits, dtype=np.float32)

    def trait(self, name: str) -> float:
        """One identity number by its name in ``TRAIT_NAMES``."""
        return self.traits[_INDEX[name]]

    @property
    def hair(self) -> str:
        """The hair style's name, one of ``HAIR_STYLES``."""
        return _choice(HAIR_STYLES, self.trait("hair_style"))

    @property
    def beard(self) -> str:
        """The beard's name, one of ``BEARDS``."""
        return _choice(BEARDS, self.trait("beard"))

    @property
    def glasses(self) -> str:
        """The glasses' name, one of ``GLASSES``."""
        return _choice(GLASSES, self.trait("glasses"))


_INDEX = {name: i for i, name in enumerate(TRAIT_NAMES)}


def _choice(names: tuple[str, ...], value: float) -> str:
    return names[round(value * (len(names) - 1))]


def _share(names: tuple[str, ...], name: str) -> float:
    return names.index(name) / (len(names) - 1)


@lru_cache(maxsize=4096)
def person(seed: int) -> Person:
    """The person of ``seed`` (>= 0); category ``CATEGORIES[seed % 7]``, so ranges are balanced."""
    if seed < 0:
        raise ValueError(f"a person's seed is a whole number from 0, not {seed}")
    category = CATEGORIES[seed % len(CATEGORIES)]
    rng = np.random.default_rng([_PEOPLE_STREAM, seed])
    draw = dict(zip(TRAIT_NAMES, rng.random(len(TRAIT_NAMES)), strict=True))
    style = _HAIR_OF[category][int(draw["hair_style"] * len(_HAIR_OF[category]))]
    draw["hair_style"] = _share(HAIR_STYLES, style)
    draw["beard"] = _share(BEARDS, _draw_beard(category, draw["beard"]))
    if draw["beard"] == 0.0:
        draw["beard_darkness"] = 0.0
    rate = _GLASSES_RATE[category]
    worn = int(draw["glasses"] / rate * 4) + 1 if draw["glasses"] < rate else 0
    draw["glasses"] = _share(GLASSES, GLASSES[worn])
    draw["freckles"] = max(0.0, draw["freckles"] * 2 - 1)
    if draw["mole"] < 0.6:
        draw["mole"] = draw["mole_side"] = 0.0
    return Person(seed, category, tuple(float(v) for v in draw.values()))


def _draw_beard(category: str, value: float) -> str:
    if category not in ("man", "elderly man") or value < 0.4:
        return "none"
    return BEARDS[1 + int((value - 0.4) / 0.6 * 5)]
