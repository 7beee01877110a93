"""Which stages would stop for too few rows: those that the profile's `row_floor`s ask for."""

from collections.abc import Sequence

from mm_model.planning.work import StageCost
from mm_model.settings import Profile

_READ = ("precompute", "pretrain", "finetune")
"""Their floor counts what they are given, that of the others what they keep."""


def short(profile: Profile, stages: Sequence[StageCost]) -> list[str]:
    """Each stage that would stop, with the rows that it would have and those it asks for."""
    found = []
    for one in stages:
        if one.stage not in ("ingest", "faces", "pairs", *_READ):
            continue
        rows = one.rows_in if one.stage in _READ else one.rows_out
        asked: int = vars(profile.section(one.stage))["row_floor"]
        if rows < asked:
            found.append(f"{one.stage} ({rows:,.0f} of {asked:,})")
    return found
