"""Who is in a dataset: how often, on which side, and of which of the paper's seven categories.

Categories are known where people were drawn: their source says so of each file. Of real people
they are what the face pack's genderage model estimates, where it holds one; else unavailable.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from mm_model.card.outputs import DataOutput, equal, every
from mm_model.decisions.faces import AGE, FEMALE
from mm_model.records import HELD_OUT, TRAIN, Status
from mm_model.store import documents, tables

UNKNOWN = "unavailable: the pack holds no genderage model"
BABY, CHILD, ELDERLY = 3, 16, 60
"""Ages in years: under the first a baby, under the second a child, from the third on elderly
(design choice)."""
_AGE, _FEMALE = AGE.name, FEMALE.name
MOST_NAMED = 60
"""How many people are listed; of more, those with the most and with the fewest samples."""


@dataclass
class Somebody:
    """One identity: its side and category, and what is kept of it."""

    name: str
    side: str
    category: str = UNKNOWN
    estimated: bool = False
    images: int = 0
    clips: int = 0
    pairs: int = 0

    @property
    def samples(self) -> int:
        """Photographs and clips together."""
        return self.images + self.clips


@dataclass(frozen=True)
class Population:
    """Everybody. balance: category to (training people, held-out people, samples), the seven first
    and none where it is known of nobody. listed: those who are named on the page. estimated:
    whether a category is a model's estimate.
    """

    train: int
    held_out: int
    samples: tuple[int, ...]
    balance: Mapping[str, tuple[int, int, int]]
    listed: tuple[Somebody, ...]
    estimated: bool = False


def population(outputs: Mapping[str, DataOutput]) -> Population | None:
    """The people of the kept samples; None before stage `faces` has run."""
    from mm_model.embedded.people.people import CATEGORIES

    if not outputs["faces"].there:
        return None
    everybody = _everybody(outputs)
    known = any(one.category != UNKNOWN for one in everybody)
    nobody = (0, 0, 0)
    balance = dict.fromkeys(CATEGORIES if known else (), nobody)
    for one in everybody:
        train, held_out, samples = balance.get(one.category, nobody)
        train, held_out = train + (one.side == TRAIN), held_out + (one.side == HELD_OUT)
        balance[one.category] = train, held_out, samples + one.samples
    ranked = sorted(everybody, key=lambda one: (-one.samples, one.name))
    half = MOST_NAMED // 2
    return Population(
        train=sum(one.side == TRAIN for one in everybody),
        held_out=sum(one.side == HELD_OUT for one in everybody),
        samples=tuple(one.samples for one in ranked),
        balance=balance,
        listed=tuple(ranked if len(ranked) <= MOST_NAMED else (*ranked[:half], *ranked[-half:])),
        estimated=any(one.estimated for one in everybody),
    )


def _everybody(outputs: Mapping[str, DataOutput]) -> list[Somebody]:
    there = set(tables.schema(outputs["faces"].table).names)
    names = ("identity", "split", "media", "name", *(n for n in (_AGE, _FEMALE) if n in there))
    kept = {"status": str(Status.KEPT)}
    categories = _categories(outputs)
    found: dict[str, Somebody] = {}
    told: dict[str, Counter[str]] = defaultdict(Counter)
    seen_as: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in tables.rows(outputs["faces"].table, names, kept):
        one = found.setdefault(str(row["identity"]), Somebody(str(row["identity"]), row["split"]))
        one.clips += row["media"] == "clip"
        one.images += row["media"] != "clip"
        if row["name"] in categories:
            told[one.name][categories[row["name"]]] += 1
        age, female = row.get(_AGE), row.get(_FEMALE)
        if age is not None and female is not None:
            seen_as[one.name].append((age, female))
    for name, values in seen_as.items():
        ages, women = zip(*values, strict=True)
        found[name].category, found[name].estimated = category(median(ages), median(women)), True
    for name, seen in told.items():
        found[name].category, found[name].estimated = seen.most_common(1)[0][0], False
    if outputs["pairs"].there:
        pairs = outputs["pairs"].columns("identity", "status")
        kept = pairs.filter(equal(pairs, "status", Status.KEPT))
        for row in kept["identity"].value_counts().to_pylist():
            if row["values"] in found:
                found[row["values"]].pairs = row["counts"]
    return list(found.values())


def category(age: float, female: float) -> str:
    """Which of the paper's seven an estimate of age (years) and gender (probability) falls into.

    Raises:
        ValueError: an estimate that is no number.
    """
    if not (math.isfinite(age) and math.isfinite(female)):
        raise ValueError(f"an age of {age} years and {female} for female say nothing")
    if age < BABY:
        return "baby"
    if age < CHILD:
        return "girl" if female >= 0.5 else "boy"
    return ("elderly " if age >= ELDERLY else "") + ("woman" if female >= 0.5 else "man")


def _categories(outputs: Mapping[str, DataOutput]) -> dict[str, str]:
    """File to category, of drawn people alone."""
    from mm_model.embedded.people.people import CATEGORIES
    from mm_model.sources.recipe import MARK

    sources = outputs["sources"]
    if not sources.there:
        return {}
    if not every(sources.columns("synthetic"), "synthetic"):
        return {}
    found = {}
    for call in documents.read_or_empty(sources.folder / "files" / MARK).get("calls", []):
        for name, truth in call.get("files", {}).items():
            if truth.get("category") in CATEGORIES:
                found[name] = truth["category"]
    return found
