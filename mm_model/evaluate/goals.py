"""Motion and honesty goals: is the video alive, steady, and no copy of the picture it was shown?

Pure arithmetic on the summary of a study. Motion is the 95th percentile of FM_inter minus the noise
floor, the same measure on a still picture that went through the same file.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mm_model.store.atomic import Document

MOTION_RANGE = (0.6, 1.4)
JITTER_MOST = 1.5
GAP_MOST = 0.05
FACES_LEAST = 0.9


@dataclass(frozen=True)
class Goal:
    """One figure and the range it should lie in; None where there is no bound or no value."""

    name: str
    value: float | None
    least: float | None
    most: float | None

    @property
    def passed(self) -> bool | None:
        """Whether the value lies in the range; None without a value."""
        if self.value is None:
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)


def _value(summary: Mapping[str, Any], variant: str, measure: str) -> float | None:
    return summary.get(variant, {}).get(measure, {}).get("value")


def motion(summary: Mapping[str, Any], variant: str) -> float | None:
    """FM_inter (p95) of a variant above the noise floor of the still control."""
    value, floor = (_value(summary, v, "fm_inter_p95") for v in (variant, "static_reference"))
    return value - floor if value is not None and floor is not None else None


def _ratio(value: float | None, true: float | None) -> float | None:
    return value / true if value is not None and true else None


def judge(summary: Mapping[str, Any], variant: str = "finetune") -> list[Document]:
    """The goals of a variant against the true clips, with `passed`, as plain records."""
    true_motion = motion(summary, "true_clip")
    jitter, true_jitter = (_value(summary, v, "jitter") for v in (variant, "true_clip"))
    goals = [
        Goal("motion_over_true", _ratio(motion(summary, variant), true_motion), *MOTION_RANGE),
        Goal("jitter_over_true", _ratio(jitter, true_jitter), None, JITTER_MOST),
        Goal("copy_paste_gap", _value(summary, variant, "copy_paste_gap"), None, GAP_MOST),
        *(
            Goal(f"face_found_{name}", _value(summary, name, "face_found_rate"), FACES_LEAST, None)
            for name in ("base", variant, "true_clip")
        ),
    ]
    return [{**asdict(goal), "passed": goal.passed} for goal in goals]
