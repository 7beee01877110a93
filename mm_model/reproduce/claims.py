"""What a paper says of leaving a part out, and whether a measurement bears it out."""

from __future__ import annotations

from dataclasses import dataclass

from mm_model.store.atomic import Document

HOLDS, NOT, UNTOLD = "holds", "does not hold", "cannot be told"


@dataclass(frozen=True)
class Claim:
    """`says` in words; it is borne out where the measure `name` rises (`up`) or falls without the
    part.
    """

    says: str
    name: str
    up: bool

    def verdict(self, change: Document) -> str:
        """By the 95% interval of the change from with the part to without it."""
        low, high = change["low"], change["high"]
        if low is None or high is None or low <= 0 <= high:
            return UNTOLD
        return HOLDS if (low > 0) == self.up else NOT
