"""The floors of a release: goals that decide, whoever is champion."""

from collections.abc import Mapping
from typing import Any

from mm_model.metrics.intervals import known


def kept(metrics: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether every deciding goal of an evaluation passes, and a sentence that names what fails.

    A goal without a value fails too, unless the true clips have none either: then it does not
    apply to this test set.
    """
    deciding = [goal for goal in metrics.get("goals") or [] if goal.get("decides")]
    if not deciding:
        return False, "The evaluation has no goal that decides: run the stage evaluate again."
    failed = [_said(goal) for goal in deciding if _fails(goal)]
    if failed:
        return False, f"It does not pass what every release must: {'; '.join(failed)}."
    return True, f"It passes what every release must ({len(deciding)} goals)."


def _fails(goal: Mapping[str, Any]) -> bool:
    if known(goal.get("value")) is not None:
        return goal.get("passed") is not True
    return goal.get("applies") is not False


def _said(goal: Mapping[str, Any]) -> str:
    value, least, most = (known(goal.get(key)) for key in ("value", "least", "most"))
    if value is None:
        return f"{goal.get('name')} cannot be had"
    bounds = [f"at least {least:g}"] if least is not None else []
    bounds += [f"at most {most:g}"] if most is not None else []
    return f"{goal.get('name')} is {value:.3f}, must be {' and '.join(bounds)}"
