"""How large a study may be asked for, by name, and where its result lies.

Light: Dagster reads it.
"""

from pathlib import Path

SMOKE, QUICK, PAPER = "smoke", "quick", "paper"

TIERS = {"methods": (SMOKE, QUICK), "protocol": (SMOKE, QUICK, PAPER)}
"""Study to its sizes, the smallest first."""


def folder_of(root: Path, study: str, tier: str) -> Path:
    """Where a study of that size leaves its numbers, its picture and its parts."""
    place = root / "work" / "reproduce" / study
    # the report page shows the quick comparison of methods, from the place it always had
    return place if (study, tier) == ("methods", QUICK) else place / tier


def numbers_of(root: Path, study: str, tier: str) -> Path:
    """The JSON of every number of it."""
    return folder_of(root, study, tier) / f"{study}.json"
