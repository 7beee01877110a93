"""The people on whom two evaluations can be compared, and their figures side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_model.metrics.intervals import FEWEST, known

Metrics = Mapping[str, Any]


def candidate(metrics: Metrics) -> str:
    """The training stage whose adapter an evaluation is of."""
    return str(metrics.get("candidate") or "finetune")


@dataclass(frozen=True)
class Common:
    """Places of the same people in both evaluations; `why` it says where they cannot be compared.

    `note` is a sentence on people that only one of them has, else empty.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    why: str | None = None
    note: str = ""

    @classmethod
    def of(cls, ours: Metrics, theirs: Metrics) -> "Common":
        """All people of equal test sets; of others those who were tested alike, if they are enough.

        Alike: the same prompt, pictures and noise seeds (`tests`), the same sampler, judge and
        conventions (`conditions_digest`).
        """
        mine, others = _places(ours), _places(theirs)
        sets = [one.get("test_set_digest") for one in (ours, theirs)]
        if sets[0] is not None and sets[0] == sets[1]:
            if len(mine) != len(others):
                return cls(why="The two evaluations name other people on the same test set.")
            return cls(tuple((mine[name], others[name]) for name in mine if name in others))
        conditions = [one.get("conditions_digest") for one in (ours, theirs)]
        if conditions[0] is None or conditions[0] != conditions[1]:
            return cls(
                why="Not comparable with the champion: the two were evaluated on different test "
                f"sets ({_short(sets[0])} and {_short(sets[1])}) under different conditions "
                "(sampler, detector, judge or how figures are computed); to hold later versions "
                "against this one, choose it with 'python -m mm_model rollback --to' and its "
                "number, then 'python -m mm_model unpin'."
            )
        tests = [one.get("tests") or {} for one in (ours, theirs)]
        same = [n for n in mine if n in others and tests[0].get(n) == tests[1].get(n) is not None]
        least = max(FEWEST, -(-min(len(mine), len(others)) // 2))
        if len(same) < least:
            return cls(
                why="Not comparable with the champion: the two were evaluated on different test "
                f"sets, and only {len(same)} of {len(mine)} people were tested alike in both, "
                f"{least} are needed; keep the earlier people among the sources, or choose the "
                "champion yourself with 'python -m mm_model rollback --to'."
            )
        note = f"The test sets differ; compared on the {len(same)} people that both have."
        return cls(tuple((mine[name], others[name]) for name in same), note=note)

    def figures(self, ours: Metrics, theirs: Metrics, measure: str) -> np.ndarray:
        """A measure of both candidates and of the true clip, float64 `[N,3]`, by person.

        People without both are left out; NaN stands for a true clip that there is not.
        """
        columns = [
            _column(ours, candidate(ours), measure),
            _column(theirs, candidate(theirs), measure),
            _column(ours, "true_clip", measure),
        ]
        rows = []
        for a, b in self.pairs:
            row = [_at(columns[0], a), _at(columns[1], b), _at(columns[2], a)]
            if row[0] is not None and row[1] is not None:
                rows.append([np.nan if value is None else value for value in row])
        return np.array(rows, np.float64).reshape(-1, 3)


def has(metrics: Metrics, measure: str) -> bool:
    """Whether the candidate has the figure of anybody."""
    return any(known(value) is not None for value in _column(metrics, candidate(metrics), measure))


def _column(metrics: Metrics, variant: str, measure: str) -> list[Any]:
    return ((metrics.get("per_person") or {}).get(variant) or {}).get(measure) or []


def _at(column: list[Any], place: int) -> float | None:
    return known(column[place]) if place < len(column) else None


def _places(metrics: Metrics) -> dict[str, int]:
    names = metrics.get("identities")
    if names is None:  # an earlier release of this project: by place
        names = range(len(_column(metrics, candidate(metrics), "identity")))
    return {str(name): place for place, name in enumerate(names)}


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
