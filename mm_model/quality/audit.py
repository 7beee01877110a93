"""Runs a stage's suite on the tables in a folder and says, in one sentence, what is wrong.

Great Expectations checks; this module guards its known holes: an empty suite, a missing table
or column, and an empty table never pass. The verdict is written as `audit.json` beside the
tables, whether it is good or bad.
"""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import AuditError, UserError
from mm_model.quality.suites import Check, suite_of
from mm_model.records import Bound
from mm_model.settings import Profile
from mm_model.store import atomic, documents

NAME = "audit.json"
_ROWS_NAMED = 5


@dataclass(frozen=True)
class Verdict:
    """Outcome of one expectation. `rows` names up to five offending rows by their key."""

    expectation: str
    table: str
    _: KW_ONLY
    column: str | None
    severity: str
    success: bool
    observed: str
    rows: list[str]
    sentence: str


def audit(
    stage: str, folder: Path, profile: Profile, bounds: Sequence[Bound] = ()
) -> list[Verdict]:
    """Check the tables of `folder`, write `audit.json` there, and stop on a critical failure.

    `bounds`: see `suites.suite_of`.

    Raises:
        AuditError: a critical expectation failed; the message names stage, expectation, table,
            column and rows.
    """
    checks = suite_of(stage, profile, bounds)
    if not checks:
        raise AuditError(f"The suite of stage '{stage}' is empty: nothing was audited.")
    verdicts: list[Verdict] = []
    for table in dict.fromkeys(check.table for check in checks):
        verdicts += _audit_table(folder, table, [c for c in checks if c.table == table])
    broken = [v for v in verdicts if not v.success and v.severity == "critical"]
    sentence = _stop_sentence(stage, broken, folder) if broken else None
    atomic.write_json(
        folder / NAME,
        {
            "stage": stage,
            "success": not broken,
            "expectations": [asdict(verdict) for verdict in verdicts],
            "sentence": sentence,
        },
    )
    for verdict in verdicts:
        if not verdict.success and verdict.severity != "critical":
            print(f"[{stage}] audit warning: {verdict.sentence}", flush=True)
    if sentence:
        raise AuditError(sentence)
    return verdicts


def require_passed(
    stage: str, folder: Path, profile: Profile, bounds: Sequence[Bound] = ()
) -> None:
    """Return if `folder` holds the good verdict of this stage's whole suite.

    For whoever publishes: an audit that never ran, or whose error was caught, leaves none.

    Raises:
        AuditError: there is no verdict, a bad one, or that of something else.
    """
    said = documents.read_or_empty(folder / NAME)
    told = [(v["expectation"], v["table"], v["column"]) for v in said.get("expectations", ())]
    suite = suite_of(stage, profile, bounds)
    asked = [(check.snake_name, check.table, check.column) for check in suite]
    whole = sorted(map(str, told)) == sorted(map(str, asked))
    if said.get("stage") != stage or said.get("success") is not True or not whole:
        raise AuditError(
            f"Stage '{stage}' has no good verdict of its audit in {folder / NAME}, so nothing was "
            f"published: run it again (python -m mm_model run {stage})."
        )


def _stop_sentence(stage: str, broken: Sequence[Verdict], folder: Path) -> str:
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return (
        f"The audit of stage '{stage}' failed: {broken[0].sentence}{more}; nothing was published, "
        f"the candidate is kept in {folder.parent.name}/{folder.name} below work/."
    )


def _audit_table(folder: Path, table: str, checks: Sequence[Check]) -> list[Verdict]:
    import pandas as pd

    path = folder / table
    if not path.is_file():
        raise UserError(f"{path} is missing: the stage did not write the table its suite checks.")
    frame = pd.read_parquet(path)
    missing = {check.column for check in checks if check.column} - set(frame.columns)
    if missing:
        column = sorted(missing)[0]
        return [
            Verdict(
                "expect_column_to_exist",
                table,
                column=column,
                severity="critical",
                success=False,
                observed="absent",
                rows=[],
                sentence=f"expect_column_to_exist: {table} has no column '{column}'",
            )
        ]
    results = _validate(frame, checks)
    return [_verdict(check, result, frame) for check, result in zip(checks, results, strict=True)]


def _validate(frame: Any, checks: Sequence[Check]) -> list[dict]:
    """One Great Expectations run over one data frame; results in the order of `checks`.

    Each check is run by itself so that the answer's order never depends on the library's
    internal grouping.
    """
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("tables")
        .add_dataframe_asset("table")
        .add_batch_definition_whole_dataframe("whole")
        .get_batch({"dataframe": frame})
    )
    found = []
    for check in checks:
        expectation = getattr(gx.expectations, check.expectation)(**check.arguments())
        result = batch.validate(expectation, result_format="COMPLETE")
        found.append(result.to_json_dict())
    return found


def _verdict(check: Check, result: dict, frame: Any) -> Verdict:
    detail = result.get("result") or {}
    success = bool(result["success"]) and not _raised(result)
    rows = [_row_name(frame, i) for i in (detail.get("unexpected_index_list") or [])[:_ROWS_NAMED]]
    observed = _observed(detail)
    where = f"{check.table}" + (f", column '{check.column}'" if check.column else "")
    named = f" in rows {', '.join(rows)}" if rows else ""
    sentence = f"{check.snake_name}: {where}: {check.meaning}; observed {observed}{named}"
    return Verdict(
        check.snake_name,
        check.table,
        column=check.column,
        severity=check.severity,
        success=success,
        observed=observed,
        rows=rows,
        sentence=sentence,
    )


def _raised(result: dict) -> bool:
    info = result.get("exception_info") or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    return any(entry.get("raised_exception") for entry in entries if isinstance(entry, dict))


def _observed(detail: dict) -> str:
    if (value := detail.get("observed_value")) is not None:
        return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value)
    if "unexpected_count" in detail:
        return f"{detail['unexpected_count']} of {detail.get('element_count', '?')} rows against it"
    return "no value"


def _row_name(frame: Any, index: Any) -> str:
    """The row's key (first column) and position; an index may come as a number or a mapping."""
    position = index if isinstance(index, int) else next(iter(dict(index).values()))
    return f"{frame.iloc[position, 0]} (row {position})"
