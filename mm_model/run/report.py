"""What a stage says of its work."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mm_model.records import Counts
from mm_model.store.atomic import Document


@dataclass(frozen=True)
class Report:
    """What a stage says of its work. Holds no clock, so that equal work gives equal reports.

    `metrics` are numbers or short texts (None = unavailable, never 0); `pictures` are paths
    inside the output; `notes` are sentences for the user.
    """

    counts: Counts
    metrics: Mapping[str, float | int | str | bool | None] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> Document:
        """JSON-able form."""
        return {
            "total": self.counts.total,
            "kept": self.counts.kept,
            "rejected": dict(self.counts.rejected),
            "failed": dict(self.counts.failed),
            "line": self.counts.line(),
            "metrics": dict(self.metrics),
            "pictures": list(self.pictures),
            "notes": list(self.notes),
        }
