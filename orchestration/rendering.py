"""Turns what a stage left on disk into what Dagster shows: metadata, a picture, its audit.

Only reads the output folder; a file that is absent or damaged is simply not shown.
"""

import base64
from pathlib import Path
from typing import Any

import dagster as dg

from assets import graph
from assets.wiring import AUDIT
from mm_model.store import documents
from mm_model.store.layout import Layout

_PICTURE_BYTES = 200_000
_ROWS_SHOWN = 5


def _picture(output: Path, pictures: list[str]) -> dict[str, dg.MetadataValue]:
    for name in pictures:
        path = output / name
        if path.suffix == ".jpg" and path.is_file() and path.stat().st_size <= _PICTURE_BYTES:
            data = base64.b64encode(path.read_bytes()).decode()
            return {"picture": dg.MetadataValue.md(f"![{name}](data:image/jpeg;base64,{data})")}
    return {}


def report_metadata(layout: Layout, stage: str) -> dict[str, dg.MetadataValue | Any]:
    """Counts, metrics, notes and a small picture of the output, and where it lies in the tree."""
    output = layout.output(stage)
    report = documents.read_or_empty(output / "report.json")
    shown: dict[str, Any] = {"output": dg.MetadataValue.path(layout.relative(output))}
    if layout.page.is_file():
        shown["report page"] = dg.MetadataValue.path(layout.relative(layout.page))
    if report:
        shown |= {
            "account": report["line"],
            "in": report["total"],
            "kept": report["kept"],
            "rejected": sum(report["rejected"].values()),
            "failed": sum(report["failed"].values()),
        }
        for name, value in report["metrics"].items():
            shown[f"metric {name}"] = "unavailable" if value is None else value
        if report["notes"]:
            shown["notes"] = dg.MetadataValue.md("\n".join(f"* {n}" for n in report["notes"]))
        shown |= _picture(output, report["pictures"])
    return shown


def _cell(value: object) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")


def _table(expectations: list[dict[str, Any]]) -> str:
    lines = [
        "| expectation | table | column | severity | passed | observed | rows |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in expectations:
        rows = ", ".join(one["rows"][:_ROWS_SHOWN])
        cells = (
            one["expectation"],
            one["table"],
            one["column"],
            one["severity"],
            "yes" if one["success"] else "**no**",
            one["observed"],
            rows,
        )
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines)


def _audit(layout: Layout, stage: str, path: Path) -> dict[str, Any]:
    """Verdict as arguments shared by a check's result and its evaluation."""
    audit = documents.read_or_empty(path)
    if not audit:
        return {
            "passed": False,
            "severity": dg.AssetCheckSeverity.WARN,
            "description": f"{layout.relative(path)} is absent or damaged: the audit is unknown.",
            "metadata": {},
        }
    missed = [one for one in audit["expectations"] if not one["success"]]
    critical = any(one["severity"] == "critical" for one in missed) or not audit["success"]
    total = len(audit["expectations"])
    sentence = audit["sentence"] or " ".join(one["sentence"] for one in missed)
    return {
        "passed": not missed and audit["success"],
        "severity": dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN,
        "description": sentence or f"All {total} expectations of {stage} hold.",
        "metadata": {
            "held": total - len(missed),
            "of": total,
            "expectations": dg.MetadataValue.md(_table(audit["expectations"])),
            "audit": dg.MetadataValue.path(layout.relative(path)),
        },
    }


def check_result(layout: Layout, stage: str, path: Path) -> dg.AssetCheckResult:
    """The audit at `path` as the result of the stage's check, inside a run."""
    return dg.AssetCheckResult(
        check_name=AUDIT, asset_key=dg.AssetKey(graph.asset(stage)), **_audit(layout, stage, path)
    )


def check_evaluation(layout: Layout, stage: str, path: Path) -> dg.AssetCheckEvaluation:
    """The same audit as an event of its own, for a stage that ran outside Dagster."""
    verdict = _audit(layout, stage, path)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(graph.asset(stage)),
        check_name=AUDIT,
        passed=verdict["passed"],
        severity=verdict["severity"],
        description=verdict["description"],
        metadata=verdict["metadata"],
    )
