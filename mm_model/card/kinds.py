"""The pairs of a dataset by kind: how many were tried and kept, and how alike they are."""

from collections.abc import Mapping
from dataclasses import dataclass

from mm_model.card.histogram import Histogram, drawn
from mm_model.card.outputs import DataOutput, equal, numbers, tally
from mm_model.records import Status
from mm_model.settings import Profile


@dataclass(frozen=True)
class PairsOfKind:
    """Pairs of one kind."""

    kind: str
    tried: int
    kept: int
    histogram: Histogram | None

    @property
    def share(self) -> float | None:
        """Of those tried, how many were kept."""
        return self.kept / self.tried if self.tried else None


def by_kind(outputs: Mapping[str, DataOutput], profile: Profile) -> list[PairsOfKind]:
    """The pairs of each kind; none before stage `pairs` has run."""
    if not outputs["pairs"].there:
        return []
    table = outputs["pairs"].columns("kind", "status", "cosine")
    kept, cosine = equal(table, "status", Status.KEPT), numbers(table, "cosine")
    bounds = [
        ("pairs.cosine_above", profile.pairs.cosine_above),
        ("pairs.cosine_warn_above", profile.pairs.cosine_warn_above),
    ]
    found = []
    for kind in tally(table, "kind"):
        ours = equal(table, "kind", str(kind))
        histogram = drawn(cosine[ours & kept], cosine[ours & ~kept], cosine[:0], bounds)
        found.append(PairsOfKind(str(kind), int(ours.sum()), int((ours & kept).sum()), histogram))
    return found


def targets(outputs: Mapping[str, DataOutput]) -> int | None:
    """How many samples have a kept pair; None before stage `pairs` has run."""
    if not outputs["pairs"].there:
        return None
    table = outputs["pairs"].columns("target", "status")
    return len(table.filter(equal(table, "status", Status.KEPT))["target"].unique())
