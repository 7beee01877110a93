"""The page of all filters, written from the table: `python -m mm_model.decisions.page FILE`."""

import sys
from pathlib import Path

from mm_model.decisions.port import Decision
from mm_model.decisions.table import DECISIONS, MEASURES, reasons

_HEAD = """# Filters

What a sample is rejected for, in the order in which the filters are asked. This page is written by
`python -m mm_model.decisions.page docs/filters.md`; change the filters instead
([ports.md](ports.md#a-filter)). A bound is a value of the profile; where it may be null, null
switches the filter off. Each row of a stage's table holds what was measured, whether it was kept or
not; a rejected one also its reason, the value and the bound.
"""
_FILTERS = ("| Filter | rejects what | needs | measures | bound | reason |", "|---" * 6 + "|")
_MEASURED = ("| Measured | is |", "|---" * 2 + "|")


def text() -> str:
    """The whole page."""
    parts = [_HEAD, *map(_stage, DECISIONS), _others()]
    return "\n".join(parts)


def _stage(stage: str) -> str:
    filters = [_row(one) for one in DECISIONS[stage]]
    measured = [f"| `{one.name}` | {one.meaning} |" for one in MEASURES[stage]]
    head = f"## Stage `{stage}`\n"
    return "\n".join([head, *_FILTERS, *filters, "", *_MEASURED, *measured, ""])


def _row(one: Decision) -> str:
    measures = ", ".join(f"`{measure.name}`" for measure in one.measures)
    bounds = ", ".join(f"`{bound.key}`" for bound in one.thresholds)
    codes = ", ".join(f"`{code}`" for code in one.reasons)
    return f"| {one.name} | {one.rejects} | {one.needs} | {measures} | {bounds} | {codes} |"


def _others() -> str:
    told = {code for stage in DECISIONS.values() for one in stage for code in one.reasons}
    rest = ", ".join(f"`{code}`" for code in reasons() if code not in told)
    return f"## Reasons without a bound\n\n{rest}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
