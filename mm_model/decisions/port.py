"""The port of a filter: what it looks at, measures and holds against which value of a profile.

Knows neither stages nor profiles: what was seen of a sample and a section of values come in, the
first broken rule goes out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple


class Need(StrEnum):
    """The least that must be read of a sample before it can be decided on."""

    HEADER = "header"
    PIXELS = "pixels"
    FRAMES = "frames"
    FACES = "faces"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class Measure:
    """A column of a stage's table. `kind` is number or count (a whole number).

    of: its value from what was seen of a sample. each: instead, of one frame and the face chosen
    there, RGB uint8 [height, width, 3] and `facepack.port.Face`; the column holds the median over
    the frames with a face. With neither, the stage itself fills it in.
    """

    name: str
    meaning: str
    kind: Literal["number", "count"] = "number"
    of: Callable[[Any], float | int | None] | None = None
    each: Callable[[Any, Any], float] | None = None


@dataclass(frozen=True)
class Threshold:
    """A value of a profile, `<section>.<field>`.

    within: lowest and highest value with any sense, given for a field that no section declares by
    itself: the table adds it there, and a profile that does not name it has null, which switches
    the filter off.
    """

    key: str
    within: tuple[float, float] | None = None

    @property
    def section(self) -> str:
        """The section of the profile."""
        return self.key.partition(".")[0]

    @property
    def field(self) -> str:
        """The field of the section."""
        return self.key.partition(".")[2]


class Broken(NamedTuple):
    """A rule that is broken; `value` is what was measured, `threshold` what it was held to."""

    reason: str
    message: str
    value: float | None
    threshold: float | None


Rule = Callable[[Any, Any], Broken | None]
"""`rule(seen, section)`: how it is broken, or None."""


@dataclass(frozen=True)
class Decision:
    """One filter. `rejects` says of which samples, as the end of a sentence.

    rule: None where a reader refuses by itself, before there is anything else to be seen. keeps:
    on which side of its first threshold a kept sample's first measure lies, where that is all.
    """

    name: str
    needs: Need
    rejects: str
    reasons: tuple[str, ...]
    measures: tuple[Measure, ...]
    thresholds: tuple[Threshold, ...]
    rule: Rule | None = None
    keeps: Literal["from", "up to"] | None = None


def first_broken(decisions: Iterable[Decision], seen: Any, section: Any) -> Broken | None:
    """The first rule that a sample breaks, in the order of the decisions; None of none."""
    for decision in decisions:
        if decision.rule is not None and (broken := decision.rule(seen, section)):
            return broken
    return None


def least(
    name: str,
    *,
    needs: Need,
    measure: Measure,
    threshold: Threshold,
    reason: str,
    rejects: str,
    message: str,
    value: Callable[[Any], float | None],
) -> Decision:
    """A filter that wants `value(seen)` to be at least the threshold; what is no number is less.

    `message` may name the `value`.
    """

    def rule(seen: Any, section: Any) -> Broken | None:
        bound, found = getattr(section, threshold.field), value(seen)
        if bound is None or (found is not None and found >= bound):
            return None
        return Broken(reason, message.format(value=found), found, bound)

    return Decision(
        name,
        needs=needs,
        rejects=rejects,
        reasons=(reason,),
        measures=(measure,),
        thresholds=(threshold,),
        rule=rule,
        keeps="from",
    )


def most(
    name: str,
    *,
    needs: Need,
    measure: Measure,
    threshold: Threshold,
    reason: str,
    rejects: str,
    message: str,
    value: Callable[[Any], float | None],
) -> Decision:
    """A filter that wants `value(seen)` to be at most the threshold; what was not measured passes.

    `message` may name the `value`.
    """

    def rule(seen: Any, section: Any) -> Broken | None:
        bound, found = getattr(section, threshold.field), value(seen)
        if bound is None or found is None or found <= bound:
            return None
        return Broken(reason, message.format(value=found), found, bound)

    return Decision(
        name,
        needs=needs,
        rejects=rejects,
        reasons=(reason,),
        measures=(measure,),
        thresholds=(threshold,),
        rule=rule,
        keeps="up to",
    )


def names(measures: Iterable[Measure]) -> tuple[str, ...]:
    """The columns of `measures`."""
    return tuple(measure.name for measure in measures)


def types(measures: Iterable[Measure]) -> dict[str, str]:
    """Column to kind, as `store.tables.write` takes them."""
    return {measure.name: measure.kind for measure in measures}


def with_those_of(
    measures: Sequence[Measure], decisions: Iterable[Decision]
) -> tuple[Measure, ...]:
    """`measures`, and behind them what `decisions` measure besides."""
    told = (measure for decision in decisions for measure in decision.measures)
    return tuple(dict.fromkeys((*measures, *told)))
