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
from mm_model.quality import parts
from mm_model.quality.check import Check
from mm_model.quality.expectations import Expectations, raised
from mm_model.quality.suites import suite_of
from mm_model.records import Bound
from mm_model.settings import Profile
from mm_model.store import atomic, documents, tables

NAME = "audit.json"
AT_ONCE = tables.ROW_GROUP
"""Rows of a table that are looked at together; a longer one is audited in parts of so many."""


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
    path = folder / table
    if not path.is_file():
        raise UserError(f"{path} is missing: the stage did not write the table its suite checks.")
    missing = {check.column for check in checks if check.column} - set(tables.schema(path).names)
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
    if tables.number_of_rows(path) > AT_ONCE:
        found = parts.found_in(path, checks, AT_ONCE)
    else:
        frame = tables.read(path)
        found = [_found(frame, result) for result in Expectations().together(frame, checks)]
    return [_verdict(check, one) for check, one in zip(checks, found, strict=True)]


def _found(frame: Any, result: dict) -> parts.Found:
    success = bool(result["success"]) and not raised(result)
    return parts.Found(success, result.get("result") or {}, parts.named_rows(frame, result))


def _verdict(check: Check, found: parts.Found) -> Verdict:
    observed = _observed(found.detail)
    where = f"{check.table}" + (f", column '{check.column}'" if check.column else "")
    named = f" in rows {', '.join(found.rows)}" if found.rows else ""
    sentence = f"{check.snake_name}: {where}: {check.meaning}; observed {observed}{named}"
    return Verdict(
        check.snake_name,
        check.table,
        column=check.column,
        severity=check.severity,
        success=found.success,
        observed=observed,
        rows=found.rows,
        sentence=sentence,
    )


def _observed(detail: dict) -> str:
    if (value := detail.get("observed_value")) is not None:
        return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value)
    if "unexpected_count" in detail:
        return f"{detail['unexpected_count']} of {detail.get('element_count', '?')} rows against it"
    return "no value"
