"""The one table of filters: who asks what, in which order, with which values of a profile."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from mm_model.decisions import faces, ingest, pairs
from mm_model.decisions.port import Decision, Measure, Threshold
from mm_model.decisions.reasons import Reason

S = TypeVar("S")

DECISIONS: dict[str, tuple[Decision, ...]] = {
    "ingest": ingest.DECISIONS,
    "faces": faces.DECISIONS,
    "pairs": pairs.DECISIONS,
}
"""Stage to its filters."""

MEASURES: dict[str, tuple[Measure, ...]] = {
    "ingest": ingest.MEASURES,
    "faces": (*faces.MEASURES, *faces.SECOND_LOOK),
    "pairs": pairs.MEASURES,
}
"""Stage to the measured columns of its table."""


def reasons() -> list[str]:
    """The closed list: every code that a row may carry."""
    told = (code for stage in DECISIONS.values() for one in stage for code in one.reasons)
    return list(dict.fromkeys([*map(str, Reason), *map(str, told)]))


def thresholds(section: str) -> list[Threshold]:
    """The values of a section that some filter reads."""
    told = (bound for stage in DECISIONS.values() for one in stage for bound in one.thresholds)
    return [bound for bound in told if bound.section == section]


def extended(section: str) -> Callable[[type[S]], type[S]]:
    """A decorator of a profile's section: it holds every value that a filter reads of it.

    A field that the section does not declare itself is added as the filter bounds it, null where a
    profile is silent.

    Raises:
        TypeError: a filter reads a field that neither declares.
    """

    def check(kind: Any) -> Any:
        from pydantic import Field, create_model

        added: dict[str, Any] = {}  # pydantic's own form: field to its type and default
        for bound in thresholds(section):
            if bound.field in kind.model_fields:
                continue
            if bound.within is None:
                raise TypeError(
                    f"{bound.key} is read by a filter and is no field of {section}: declare it "
                    "there, or give the threshold its `within`"
                )
            low, high = bound.within
            added[bound.field] = (Annotated[float, Field(ge=low, le=high)] | None, None)
        if not added:
            return kind
        return create_model(
            kind.__name__, __base__=kind, __module__=kind.__module__, __doc__=kind.__doc__, **added
        )

    return check
