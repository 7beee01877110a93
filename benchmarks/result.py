"""What a benchmark found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """`ratio` of one side over the other and the `goal` it is held to, after `repeats` of both."""

    ratio: float
    goal: float
    repeats: int
    at_most: bool = True

    @property
    def holds(self) -> bool:
        """Whether the ratio keeps the goal."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def fields(self) -> dict[str, object]:
        """For the one line of JSON."""
        return {
            "ratio": round(self.ratio, 4),
            "goal": self.goal,
            "holds": self.holds,
            "repeats": self.repeats,
        }
