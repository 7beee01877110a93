"""Which release somebody chose to be served, as those who follow and those who know speak of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChosenVersion:
    """The version that an alias names, and its release digest."""

    version: int
    digest: str

    def __str__(self) -> str:
        return f"version {self.version} (release {self.digest[:12]})"
