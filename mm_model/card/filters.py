"""Every filter as a card shows it: how many it rejected, of which values, and who came nearest.

Which filters there are, what each measures and holds against which bound is said by
`mm_model.decisions`; nothing is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mm_model.card.histogram import Histogram, drawn
from mm_model.card.outputs import DataOutput, equal, numbers
from mm_model.decisions.faces import MANY_FRAMES_SHARE
from mm_model.decisions.ingest import NUM_FRAMES
from mm_model.decisions.pairs import OF_PICTURES
from mm_model.decisions.port import Decision, Measure
from mm_model.decisions.table import DECISIONS
from mm_model.records import Status
from mm_model.settings import Profile

if TYPE_CHECKING:
    import pyarrow as pa

NEAREST = 12
"""How many kept and how many rejected samples are shown of a filter."""

_FIXED = {"many_faces": ("share of frames", MANY_FRAMES_SHARE)}
"""Filters whose first measure is held against a value of the code, not of the profile."""

_OF_EACH = {"made_many_faces"}
"""Filters whose bound is another one for each sample."""


@dataclass(frozen=True)
class Near:
    """A sample near a bound: its place in the stage's table, and the value, None of none."""

    place: int
    value: float | None


@dataclass(frozen=True, eq=False)
class FilterView:
    """What a card shows of one filter. bounds: name and value; off: the profile gives it no bound.

    valueless: rejected ones of which nothing was measured, or not up to this measure.
    """

    stage: str
    decision: Decision
    measure: Measure | None
    bounds: tuple[tuple[str, float], ...]
    off: bool
    rejected: int
    valueless: int
    histogram: Histogram | None
    kept_near: tuple[Near, ...]
    rejected_near: tuple[Near, ...]
    notes: tuple[str, ...]


def viewed(output: DataOutput, profile: Profile) -> list[FilterView]:
    """Every filter of a stage, in the order in which they are asked."""
    return [_view(output, decision, profile) for decision in DECISIONS[output.stage]]


def values_of(decision: Decision, profile: Profile) -> list[tuple[str, float]]:
    """The filter's bounds as the profile has them now; one that is null is left out."""
    if decision.name in _FIXED:
        return [_FIXED[decision.name]]
    told = [
        (bound.key, getattr(profile.section(bound.section), bound.field))
        for bound in decision.thresholds
    ]
    return [(key, float(value)) for key, value in told if value is not None]


def _view(output: DataOutput, decision: Decision, profile: Profile) -> FilterView:
    measure = decision.measures[0] if decision.measures else None
    names = ("status", "reason", "reason_value", "reason_threshold", "media", "kind")
    table = output.columns(*names, *([measure.name] if measure else []))
    bounds = values_of(decision, profile)
    kept = equal(table, "status", Status.KEPT)
    held_to = numbers(table, "reason_threshold")
    rejected = equal(table, "status", Status.REJECTED)
    mine = rejected & _mine(decision, output.stage, table, held_to, profile)
    off = not bounds and decision.rule is not None
    bounds, notes = _as_used(decision, bounds, held_to[mine])
    if measure is None:
        return FilterView(
            stage=output.stage,
            decision=decision,
            measure=None,
            bounds=tuple(bounds),
            off=off,
            rejected=int(mine.sum()),
            valueless=int(mine.sum()),
            histogram=None,
            kept_near=(),
            rejected_near=(),
            notes=tuple(notes),
        )
    values = numbers(table, measure.name)
    told = numbers(table, "reason_value")
    values = np.where(mine & np.isfinite(told), told, values)
    if measure is NUM_FRAMES:  # a photograph has one, and nobody asks for more
        values = np.where(equal(table, "media", "image"), np.nan, values)
    if decision in OF_PICTURES:  # other pictures are not asked
        values = np.where(equal(table, "kind", "synthetic"), values, np.nan)
    bound = np.full(len(values), bounds[0][1] if bounds else np.nan)
    bound = np.where(mine & np.isfinite(held_to), held_to, bound)
    known = np.isfinite(values)
    near = _nearest(values, bound, mine)
    return FilterView(
        stage=output.stage,
        decision=decision,
        measure=measure,
        bounds=tuple(bounds),
        off=off,
        rejected=int(mine.sum()),
        valueless=int((mine & ~known).sum()),
        histogram=drawn(values[kept], values[mine], values[~kept & ~mine], bounds),
        kept_near=_nearest(values, bound, kept),
        rejected_near=(*near, *_without(mine & ~known, NEAREST - len(near))),
        notes=tuple(notes),
    )


def _mine(
    decision: Decision, stage: str, table: "pa.Table", held_to: np.ndarray, profile: Profile
) -> np.ndarray:
    """Which rows carry a reason of this filter; a reason of several goes by its bound."""
    found = np.zeros(table.num_rows, bool)
    for code in decision.reasons:
        rows = equal(table, "reason", code)
        rivals = [one for one in DECISIONS[stage] if code in one.reasons]
        if len(rivals) > 1:
            claims = [_claimed(one, held_to, profile) for one in rivals]
            unclaimed = ~np.any(claims, axis=0)
            place = rivals.index(decision)
            earlier = np.any(claims[:place], axis=0) if place else np.zeros(len(rows), bool)
            rows &= (claims[place] & ~earlier) | (unclaimed & (place == 0))
        found |= rows
    return found


def _claimed(decision: Decision, held_to: np.ndarray, profile: Profile) -> np.ndarray:
    values = [value for _, value in values_of(decision, profile)]
    return np.any([np.isclose(held_to, value) for value in values or [np.nan]], axis=0)


def _as_used(
    decision: Decision, bounds: list[tuple[str, float]], recorded: np.ndarray
) -> tuple[list[tuple[str, float]], list[str]]:
    """The bounds that the rejected samples were held to, where the profile has others by now."""
    used = sorted({float(value) for value in recorded[np.isfinite(recorded)]})
    same = all(any(np.isclose(value, known) for _, known in bounds) for value in used)
    if same or decision.name in _OF_EACH:
        return bounds, []
    told = ", ".join(f"{value:g}" for value in used[:3])
    now = ", ".join(f"{key} {value:g}" for key, value in bounds) or "null"
    note = f"The run held samples to {told}; the profile says {now} now. The run's is drawn."
    return [("as the run had it", value) for value in used[:3]], [note]


def _nearest(values: np.ndarray, bound: np.ndarray, among: np.ndarray) -> tuple[Near, ...]:
    """Those of `among` whose value is nearest to their bound, the nearest first; ties by place."""
    away = np.abs(values - bound)
    places = np.flatnonzero(among & np.isfinite(away))
    if len(places) > NEAREST:
        last = np.partition(away[places], NEAREST - 1)[NEAREST - 1]
        places = places[away[places] <= last]
    order: Sequence[int] = places[np.argsort(away[places], kind="stable")][:NEAREST].tolist()
    return tuple(Near(place, float(values[place])) for place in order)


def _without(among: np.ndarray, most: int) -> tuple[Near, ...]:
    return tuple(Near(place, None) for place in np.flatnonzero(among)[:most].tolist())
