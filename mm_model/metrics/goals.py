"""Goals: is the video alive, steady, and no copy of the picture it was shown?

Each is a figure made of means of a study, and the range it should lie in. Pure arithmetic on the
summary. Motion is the 95th percentile of FM_inter minus the noise floor, the same measure on a
still picture that went through the same file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mm_model.store.atomic import Document

ADAPTER = "finetune"
"""The variant that is judged."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure of the summary's variants and the range it should lie in; None is no bound.

    `of` is None where what it is made of cannot be had. `title` is its row on the report page. A
    release must pass what `decides`.
    """

    name: str
    title: str
    of: Callable[[Mapping[str, Any]], float | None]
    least: float | None = None
    most: float | None = None
    decides: bool = False

    def judged(self, summary: Mapping[str, Any]) -> Document:
        """Value, bounds, and whether it passed: None without a value."""
        value, passed = self.of(summary), None
        if value is not None:
            above = self.least is None or value >= self.least
            passed = above and (self.most is None or value <= self.most)
        return {
            "name": self.name,
            "value": value,
            "least": self.least,
            "most": self.most,
            "passed": passed,
            "decides": self.decides,
        }


def _value(summary: Mapping[str, Any], variant: str, measure: str) -> float | None:
    return summary.get(variant, {}).get(measure, {}).get("value")


def motion(summary: Mapping[str, Any], variant: str) -> float | None:
    """FM_inter (p95) of a variant above the noise floor of the still control."""
    value, floor = (_value(summary, v, "fm_inter_p95") for v in (variant, "static_reference"))
    return value - floor if value is not None and floor is not None else None


def _ratio(value: float | None, true: float | None) -> float | None:
    return value / true if value is not None and true else None


def _motion_over_true(summary: Mapping[str, Any]) -> float | None:
    return _ratio(motion(summary, ADAPTER), motion(summary, "true_clip"))


def _jitter_over_true(summary: Mapping[str, Any]) -> float | None:
    return _ratio(*(_value(summary, name, "jitter") for name in (ADAPTER, "true_clip")))


def _faces(variant: str, title: str) -> Goal:
    return Goal(
        name=f"face_found_{variant}",
        title=title,
        of=lambda summary: _value(summary, variant, "face_found_rate"),
        least=0.9,
    )


GOALS = (
    Goal(
        name="motion_over_true",
        title="motion, over the true clips'",
        of=_motion_over_true,
        least=0.6,
        most=1.4,
    ),
    Goal(
        name="jitter_over_true",
        title="trembling of landmarks, over the true clips'",
        of=_jitter_over_true,
        most=1.5,
    ),
    Goal(
        name="copy_paste_gap",
        title="copy-paste gap: shown minus withheld similarity",
        of=lambda summary: _value(summary, ADAPTER, "copy_paste_gap"),
        most=0.05,
        decides=True,
    ),
    _faces("base", "face found, base"),
    _faces(ADAPTER, "face found, adapter"),
    _faces("true_clip", "face found, true clips"),
)
"""In the order in which they are shown."""


def titles() -> dict[str, str]:
    """Name of a goal to its title."""
    return {goal.name: goal.title for goal in GOALS}


def judge(summary: Mapping[str, Any]) -> list[Document]:
    """The goals with their verdicts, as plain records."""
    return [goal.judged(summary) for goal in GOALS]
