"""One expectation on one table, and the usual ones by what they ask."""

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from mm_model.records import Status
from mm_model.store.consents import ID

CONDITION = ("row_condition", "condition_parser")
"""Keywords that say which rows a check looks at."""


@dataclass(frozen=True)
class Check:
    """One expectation on one table. `meaning` is the rule as a clause for people."""

    table: str
    expectation: str
    _: KW_ONLY
    meaning: str
    column: str | None = None
    keywords: Mapping[str, object] = field(default_factory=dict)
    severity: str = "critical"

    @property
    def snake_name(self) -> str:
        """The expectation's public name, `expect_...`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.expectation).lower()

    @property
    def condition(self) -> str | None:
        """Which rows it looks at, as pandas' `query` reads it; None of all."""
        said = self.keywords.get(CONDITION[0])
        return None if said is None else str(said)

    def arguments(self) -> dict[str, object]:
        """Keyword arguments for Great Expectations."""
        column = {"column": self.column} if self.column else {}
        return {**column, **self.keywords, "severity": self.severity}


def kept_only() -> dict[str, object]:
    """Row condition: kept rows alone."""
    return {"row_condition": f'status=="{Status.KEPT}"', "condition_parser": "pandas"}


def floor(table: str, rows: int) -> Check:
    return Check(
        table,
        "ExpectTableRowCountToBeBetween",
        meaning=f"at least {rows} rows",
        column=None,
        keywords={"min_value": rows},
    )


def columns(table: str, columns: tuple[str, ...]) -> Check:
    return Check(
        table,
        "ExpectTableColumnsToMatchSet",
        meaning="exactly the agreed columns",
        column=None,
        keywords={"column_set": list(columns), "exact_match": True},
    )


def present(table: str, column: str, kept: bool = False, clips: bool = False) -> Check:
    """Never null; with `kept` among kept rows, with `clips` among kept clips that can move."""
    meaning, keywords = "never null", kept_only() if kept else {}
    if clips:
        meaning = "never null of a kept clip"
        moves = f'status=="{Status.KEPT}" and media=="clip" and num_frames>1'
        keywords = {"row_condition": moves, "condition_parser": "pandas"}
    return Check(
        table, "ExpectColumnValuesToNotBeNull", meaning=meaning, column=column, keywords=keywords
    )


def unique(table: str, column: str) -> Check:
    return Check(table, "ExpectColumnValuesToBeUnique", meaning="never twice", column=column)


def unique_together(table: str, columns: tuple[str, ...]) -> Check:
    return Check(
        table,
        "ExpectCompoundColumnsToBeUnique",
        meaning=f"{' and '.join(columns)} never twice together",
        column=None,
        keywords={"column_list": list(columns)},
    )


def one_of(table: str, column: str, values: list[str]) -> Check:
    return Check(
        table,
        "ExpectColumnValuesToBeInSet",
        meaning=f"one of {', '.join(values)}",
        column=column,
        keywords={"value_set": values},
    )


def no_words(table: str) -> Check:
    return Check(
        table,
        "ExpectColumnValuesToMatchRegex",
        meaning="the id of a statement, never its words",
        column="consent",
        keywords={"regex": f"^(?:{ID.pattern})$"},
    )


def between(
    table: str,
    column: str,
    low: float | None,
    high: float | None,
    *,
    kept: bool = False,
    strict_low: bool = False,
    severity: str = "critical",
) -> Check:
    start = f"above {low}" if strict_low else f"at least {low}"
    ends = [start] * (low is not None) + [f"at most {high}"] * (high is not None)
    bounds = ", ".join(ends)
    keywords = {"min_value": low, "max_value": high, "strict_min": strict_low}
    return Check(
        table,
        "ExpectColumnValuesToBeBetween",
        meaning=bounds,
        column=column,
        keywords={**keywords, **(kept_only() if kept else {})},
        severity=severity,
    )
