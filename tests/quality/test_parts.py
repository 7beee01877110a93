"""A table that is audited in parts gets the verdicts that it gets as a whole, word for word."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mm_model.errors import AuditError
from mm_model.quality import audit, parts
from mm_model.quality.check import Check
from mm_model.quality.suites import suite_of
from mm_model.records import Bound
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, load_profile
from tests.quality.test_suites import GOOD, MUTANTS, ROWS, bounds, written

PART = 37
"""Rows in a part: three whole ones and a rest, with duplicates that lie apart."""


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


def spoilt(table: pd.DataFrame, column: str, value: object) -> dict[str, pd.DataFrame]:
    """Of one good table: broken at its end, in every part, and by a row that stands twice."""
    one, apart, twice = (table.copy() for _ in range(3))
    if not isinstance(value, str):
        for frame in (one, apart):
            frame[column] = frame[column].astype(float)
    one.loc[len(one) - 1, column] = value
    apart.loc[apart.index % 3 == 0, column] = value
    if "status" in apart:  # parts in which nothing is kept
        apart.loc[apart.index >= 2 * PART, "status"] = "rejected"
    for name in twice.columns:
        twice[name] = twice[name].to_numpy()[[*range(len(twice) - 1), 0]]
    return {"one row": one, "rows apart": apart, "a row twice": twice}


def verdicts(stage: str, folder: Path, profile: Profile, said: list[Bound]) -> list[dict]:
    try:
        return [asdict(one) for one in audit.audit(stage, folder, profile, said)]
    except AuditError:
        return [{"said": (folder / audit.NAME).read_text()}]


@pytest.mark.parametrize("stage", ["ingest", "faces", "pairs", "evaluate"])
def test_a_table_in_parts_gets_the_verdict_of_the_whole(
    stage: str, tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, column, value = MUTANTS[stage]
    good = GOOD[stage](profile)
    for name, broken in spoilt(good[table], column, value).items():
        written(tmp_path, good | {table: broken})
        whole = verdicts(stage, tmp_path, profile, bounds(stage))
        with monkeypatch.context() as patch:
            patch.setattr(audit, "AT_ONCE", PART)
            assert verdicts(stage, tmp_path, profile, bounds(stage)) == whole, name
        assert "said" in whole[0], name


def test_the_one_bad_row_is_named_by_its_place_in_the_table(
    tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = GOOD["faces"](profile)
    tables["samples.parquet"].loc[ROWS - 2, "detection_score"] = 1.5
    written(tmp_path, tables)
    monkeypatch.setattr(audit, "AT_ONCE", PART)
    with pytest.raises(AuditError, match=rf"in rows a{ROWS - 2:04d} \(row {ROWS - 2}\)"):
        audit.audit("faces", tmp_path, profile)


def test_values_whose_digests_are_equal_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests may meet by chance: that alone is no finding, and hides none."""
    meet = lambda values, **_: pd.Series(np.zeros(len(values), np.uint64))  # noqa: E731
    monkeypatch.setattr(pd.util, "hash_pandas_object", meet)
    check = Check("t.parquet", "ExpectColumnValuesToBeUnique", meaning="never twice", column="name")
    table = pd.DataFrame({"name": [f"n{number}" for number in range(ROWS)]})
    for last, rows in (("other", []), ("n3", ["n3 (row 3)", f"n3 (row {ROWS - 1})"])):
        table.loc[ROWS - 1, "name"] = last
        table.to_parquet(tmp_path / "t.parquet")
        (found,) = parts.found_in(tmp_path / "t.parquet", [check], PART)
        assert (found.success, found.rows) == (not rows, rows)


def test_every_check_of_every_stage_can_be_asked_in_parts(profile: Profile) -> None:
    known = (*parts._COUNTS, *parts._COLUMNS, *parts._ONCE)
    for stage in NAMES:
        for check in suite_of(stage, profile, bounds(stage)):
            assert check.expectation in known or check.expectation.startswith(parts._OF_A_ROW)
