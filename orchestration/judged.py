"""Whether what was evaluated passes the goals of a release, as Dagster shows it."""

from typing import Any

import dagster as dg

from assets.wiring import GOALS, JUDGED
from mm_model.store import documents
from mm_model.store.layout import Layout

_METRICS = "metrics.json"


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str("" if value is None else value)


def _verdict(layout: Layout) -> dict[str, Any]:
    """As arguments shared by a check's result and its evaluation."""
    from mm_model.register import floors

    metrics = documents.read_or_empty(layout.output(JUDGED) / _METRICS)
    passed, sentence = floors.kept(metrics)
    names = ("name", "value", "least", "most", "passed", "decides")
    rows = [
        f"| {' | '.join(_cell(goal.get(name)) for name in names)} |"
        for goal in metrics.get("goals") or []
    ]
    head = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return {
        "asset_key": dg.AssetKey(JUDGED),
        "check_name": GOALS,
        "passed": passed,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": sentence,
        "metadata": {"goals": dg.MetadataValue.md("\n".join([*head, *rows]))} if rows else {},
    }


def check_results(layout: Layout, stage: str) -> list[dg.AssetCheckResult]:
    """The result of the check `goals`, inside a run of the stage that has it; none of others."""
    return [dg.AssetCheckResult(**_verdict(layout))] if stage == JUDGED else []


def check_evaluations(layout: Layout, stage: str) -> list[dg.AssetCheckEvaluation]:
    """The same as an event of its own, for a stage that ran outside Dagster."""
    return [dg.AssetCheckEvaluation(**_verdict(layout))] if stage == JUDGED else []
