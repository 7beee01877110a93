"""Checks that are asked together say what each says alone, of good tables and of spoilt ones."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mm_model.quality.check import Check
from mm_model.quality.expectations import Expectations
from mm_model.quality.suites import suite_of
from mm_model.rows import Row
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, load_profile
from tests.quality.test_suites import GOOD, bounds

pytestmark = pytest.mark.capability("audits", scale="T")


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


def _said(results: list[Row]) -> list[str]:
    """What is told of the rows: all but the library's echo of what was asked."""
    told = ("success", "result", "exception_info")
    return [repr({name: result.get(name) for name in told}) for result in results]


def _spoilt(frame: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """The table without kept rows (or any), and with two odd values in each of six columns."""
    none = frame.assign(status="rejected") if "status" in frame else frame.head(0)
    odd = frame.astype(object)
    for column in rng.permutation(frame.columns)[:6]:
        words = isinstance(odd[column].iloc[0], str)
        odd.loc[odd.index[[1, 4]], column] = ["", "odd"] if words else [-5, 1e9]
    return [none, odd]


@pytest.mark.parametrize("stage", ["ingest", "faces", "pairs"])  # those with conditions
def test_together_they_say_what_each_says_alone(stage: str, profile: Profile) -> None:
    rng = np.random.default_rng(3)
    suite, library = suite_of(stage, profile, bounds(stage)), Expectations()
    for name, table in GOOD[stage](profile).items():
        checks = [check for check in suite if check.table == name]
        for frame in _spoilt(table, rng):
            assert _said(library.together(frame, checks)) == _said(library.of(frame, checks))


@pytest.mark.parametrize("stage", NAMES)
def test_a_condition_names_columns_that_are_looked_for_first(stage: str, profile: Profile) -> None:
    suite = suite_of(stage, profile, bounds(stage))

    def looked_for(table: str) -> set[str | None]:
        return {check.column for check in suite if check.table == table}

    def named(check: Check) -> set[str]:
        return set(re.findall(r"(\w+)\s*(?:==|!=|<|>)", check.condition or ""))

    for check in suite:
        assert named(check) <= looked_for(check.table), check
