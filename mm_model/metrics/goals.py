"""Goals: is the video alive, does it do what it is told, and is it no copy of what it was shown?

Each is a figure of a study and the range it should lie in. Those that `decides` marks are floors: a
model that misses one is not released. Motion is held person by person against the person's own true
clip, since a mean over people can be carried by two that are smeared. Pure arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mm_model.store.atomic import Document

ADAPTER = "finetune"
"""The variant that is judged where none is named."""

TRUE = "true_clip"

BAND = (0.4, 2.5)
"""Within which share of one's own true clip's a figure of motion is alike."""

STEADY = 1.5
"""Up to which share of one's own true clip's a clip trembles no more than it."""

ALIVE = 0.3
"""From which share of one's own true clip's change of the face on it is no moved picture. In moved
pictures 0.2 to 0.6 of the people reach it, 0.8 to 0.9 behind the VAE and in adapters' clips."""

SAME = 0.5
"""From which share of one's own true clip's likeness from frame to frame one stays the same."""

DIRECTED = 0.5
"""Forwards is asked for only where the true clips reach this: else the judge cannot tell."""


@dataclass(frozen=True)
class Study:
    """What a goal may read: `variants` (means) and `per_person` (lists, one value a person in one
    order) of `metrics.json`, and the variant that is judged."""

    variants: Mapping[str, Any]
    per_person: Mapping[str, Mapping[str, Sequence[float | None]]]
    variant: str = ADAPTER

    def mean(self, variant: str, measure: str) -> float | None:
        """A mean; None where it cannot be had."""
        return self.variants.get(variant, {}).get(measure, {}).get("value")

    def alike(self, measure: str, least: float, most: float) -> float | None:
        """Share of people whose figure over their own true clip's lies from least to most.

        Whoever has no figure, for want of a face, is not alike. People without a true clip, or
        with one at rest, are not counted; None without anybody.
        """
        ours = self.per_person.get(self.variant, {}).get(measure, [])
        true = self.per_person.get(TRUE, {}).get(measure, [])
        pairs = [(o, t) for o, t in zip(ours, true, strict=False) if t and t > 0]
        if not pairs:
            return None
        inside = [o is not None and least <= o / t <= most for o, t in pairs]
        return sum(inside) / len(inside)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure of a study and the range it should lie in; None is no bound.

    `of` is None where what it is made of cannot be had. `title` is its row on the report page.
    `decides`: a release must pass it. Without a value it applies all the same, and is missed, where
    the true clips have a mean of `asks` (always without a name), `asks_least` at least.
    """

    name: str
    title: str
    of: Callable[[Study], float | None]
    least: float | None = None
    most: float | None = None
    decides: bool = False
    asks: str | None = None
    asks_least: float = -float("inf")

    def judged(self, study: Study) -> Document:
        """Value, bounds, whether it passed (None without a value) and whether it applies."""
        value, passed = self.of(study), None
        if value is not None:
            above = self.least is None or value >= self.least
            passed = above and (self.most is None or value <= self.most)
        true = study.mean(TRUE, self.asks) if self.asks else None
        asked = self.asks is None or (true is not None and true >= self.asks_least)
        return {
            "name": self.name,
            "title": self.title,
            "value": value,
            "least": self.least,
            "most": self.most,
            "passed": passed,
            "decides": self.decides,
            "applies": value is not None or asked,
        }


def motion(variants: Mapping[str, Any], variant: str) -> float | None:
    """FM_inter (p95) of a variant above the noise floor of the still control, for the front."""
    study = Study(variants, {})
    value, floor = (study.mean(v, "fm_inter_p95") for v in (variant, "static_reference"))
    return value - floor if value is not None and floor is not None else None


def _forwards(study: Study) -> float | None:
    true = study.mean(TRUE, "forwards")
    return study.mean(study.variant, "forwards") if true is not None and true >= DIRECTED else None


def _obeyed_over_true(study: Study) -> float | None:
    ours, true = (study.mean(name, "obeyed") for name in (study.variant, TRUE))
    return ours / true if ours is not None and true else None


def _pixel_gap_over_true(study: Study) -> float | None:
    """The true clips' own gap differs from one set of people to the next as light and poses do."""
    ours, true = (study.mean(name, "pixel_gap") for name in (study.variant, TRUE))
    return ours - true if ours is not None and true is not None else None


def _pixel_gap_by_person(study: Study) -> float | None:
    """Copies of shown and of withheld pictures, each of other people, would cancel in a mean."""
    ours, true = (
        study.per_person.get(name, {}).get("pixel_gap", []) for name in (study.variant, TRUE)
    )
    known = [
        abs(o - t) for o, t in zip(ours, true, strict=False) if o is not None and t is not None
    ]
    return sum(known) / len(known) if known else None


def _mean(
    name: str,
    title: str,
    variant: str | None,
    measure: str,
    *,
    least: float | None = None,
    most: float | None = None,
    decides: bool = False,
) -> Goal:
    """A goal on a mean; of the judged variant where none is named."""
    return Goal(
        name=name,
        title=title,
        of=lambda study: study.mean(variant or study.variant, measure),
        asks=measure,
        least=least,
        most=most,
        decides=decides,
    )


def _within(
    measure: str, what: str, *, least: float, suffix: str = "", decides: bool = False
) -> Goal:
    return Goal(
        name=f"{measure}{suffix or '_alike'}",
        title=f"people whose {what} is {BAND[0]:g} to {BAND[1]:g} times their true clip's",
        of=lambda study: study.alike(measure, *BAND),
        asks=measure,
        least=least,
        decides=decides,
    )


GOALS = (
    _mean(
        "face_found_floor",
        "face found, adapter (floor)",
        None,
        "face_found_rate",
        least=0.8,
        decides=True,
    ),
    _within("translation", "translation", least=0.4, suffix="_floor", decides=True),
    Goal(
        name="alive_floor",
        title=f"people whose face itself changes at least {ALIVE:g} times as in their true clip",
        of=lambda study: study.alike("deformation", ALIVE, float("inf")),
        asks="deformation",
        least=0.65,
        decides=True,
    ),
    Goal(
        name="forwards_floor",
        title="does what it is told forwards, minus backwards",
        of=_forwards,
        asks="forwards",
        asks_least=DIRECTED,
        least=0.3,
        decides=True,
    ),
    _mean(
        "copy_paste_gap",
        "copy-paste gap: shown minus withheld similarity",
        None,
        "copy_paste_gap",
        most=0.05,
        decides=True,
    ),
    Goal(
        name="pixel_gap",
        title="the same in pixels, minus the true clips': a picture that is pasted",
        of=_pixel_gap_over_true,
        asks="pixel_gap",
        least=-0.25,
        most=0.15,
        decides=True,
    ),
    Goal(
        name="pixel_gap_by_person",
        title="the same person by person: mean distance from their true clip's",
        of=_pixel_gap_by_person,
        asks="pixel_gap",
        most=0.3,
        decides=True,
    ),
    Goal(
        name="one_person_floor",
        title=f"people who stay one person at least {SAME:g} times as surely as their true clip",
        of=lambda study: study.alike("one_person", SAME, float("inf")),
        asks="one_person",
        least=0.6,
        decides=True,
    ),
    _mean(
        "faces_in_frame",
        "faces in a frame; one is meant",
        None,
        "faces_per_frame",
        most=1.25,
        decides=True,
    ),
    _mean("face_found_adapter", "face found, adapter", None, "face_found_rate", least=0.9),
    _mean("face_found_base", "face found, base", "base", "face_found_rate", least=0.9),
    _mean("face_found_true_clip", "face found, true clips", TRUE, "face_found_rate", least=0.9),
    _mean("eyes_present_adapter", "eyes present, adapter", None, "eyes_present", least=0.9),
    _within("translation", "translation", least=0.6),
    _within("turn", "turn of the head", least=0.6),
    _within("expression", "change of mouth and eyes", least=0.6),
    Goal(
        name="steady",
        title=f"people whose trembling is at most {STEADY:g} times their true clip's",
        of=lambda study: study.alike("trembling", 0.0, STEADY),
        asks="trembling",
        least=0.6,
    ),
    Goal(
        name="obeyed_over_true",
        title="does what it is told, over the true clips'",
        of=_obeyed_over_true,
        asks="obeyed",
        least=0.5,
    ),
)
"""In the order in which they are shown: floors first."""


def titles() -> dict[str, str]:
    """Name of a goal to its title."""
    return {goal.name: goal.title for goal in GOALS}


def judge(study: Mapping[str, Any], variant: str = ADAPTER) -> list[Document]:
    """The goals with their verdicts on a variant, as plain records.

    `study` holds `variants` and `per_person` as `metrics.json` does.
    """
    told = Study(study["variants"], study.get("per_person", {}), variant)
    return [goal.judged(told) for goal in GOALS]


def refused(judged: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the deciding goals that were missed, those without a value that apply included."""
    return [
        goal["name"]
        for goal in judged
        if goal["decides"] and goal["applies"] and goal["passed"] is not True
    ]
