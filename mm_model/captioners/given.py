"""Captioners that look at nothing: a file's own words, and none at all."""

from collections.abc import Sequence

from mm_model.captioners.port import Uncaptioned
from mm_model.rows import Row


class OwnWords:
    """What stage sources found: a file beside it, a keyframe's caption, a line of the pool."""

    def captions(self, asked: Sequence[Uncaptioned]) -> list[Row | None]:
        """Each file's own words."""
        return [one.own for one in asked]

    def describe(self) -> Row:
        """Only a name."""
        return {"adapter": "sidecar", "name": "sidecar"}


class NoWords:
    """Nothing is said of any file, so that the profile's template stands for all."""

    def captions(self, asked: Sequence[Uncaptioned]) -> list[Row | None]:
        """None of each."""
        return [None for _ in asked]

    def describe(self) -> Row:
        """Only a name."""
        return {"adapter": "template", "name": "template"}
