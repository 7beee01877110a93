"""What Great Expectations checked of the dataset's tables, read from the verdicts beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mm_model.card.outputs import DataOutput
from mm_model.rows import Row
from mm_model.store import documents

VERDICTS = "audit.json"


@dataclass(frozen=True)
class Checked:
    """One expectation: the rule in words, and what was seen."""

    table: str
    column: str
    expectation: str
    rule: str
    observed: str
    critical: bool
    passed: bool


@dataclass(frozen=True)
class Audited:
    """The audit of one stage; `checks` that did not pass come first."""

    stage: str
    checks: tuple[Checked, ...]

    @property
    def passed(self) -> int:
        """How many expectations held."""
        return sum(one.passed for one in self.checks)


def audited(outputs: Mapping[str, DataOutput]) -> list[Audited]:
    """The verdicts of every stage that has run; of one without a whole account none."""
    found = []
    for stage, one in outputs.items():
        said = documents.read_or_empty(one.folder / VERDICTS).get("expectations")
        if one.there and isinstance(said, list):
            checks = sorted(map(_checked, said), key=lambda check: check.passed)
            found.append(Audited(stage, tuple(checks)))
    return found


def _checked(verdict: Row) -> Checked:
    table, column = str(verdict["table"]), verdict["column"]
    where = f"{table}, column '{column}'" if column else table
    said = str(verdict["sentence"]).removeprefix(f"{verdict['expectation']}: {where}: ")
    return Checked(
        table,
        column=str(column or ""),
        expectation=str(verdict["expectation"]),
        rule=said.partition("; observed ")[0],
        observed=str(verdict["observed"]),
        critical=verdict["severity"] == "critical",
        passed=verdict["success"] is True,
    )
