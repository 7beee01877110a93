"""The table of filters: columns, profile, audit, closed list and page all come from it."""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from mm_model.decisions import page, table
from mm_model.decisions.port import Decision, Measure, Need, Threshold, first_broken, least, most
from mm_model.decisions.reasons import Reason
from mm_model.quality import suites
from mm_model.records import FACES_COLUMNS, INGEST_COLUMNS, PAIRS_COLUMNS
from mm_model.settings import FacesSettings, Profile, load_profile

COLUMNS = {"ingest": INGEST_COLUMNS, "faces": FACES_COLUMNS, "pairs": PAIRS_COLUMNS}
SQUINT = Measure("squint", "degrees between the eyes", each=lambda image, face: 1.0)


def _squinting(**change: Any) -> Decision:
    values = {
        "needs": Need.FACES,
        "measure": SQUINT,
        "threshold": Threshold("faces.max_squint", within=(0, 180)),
        "reason": "FACE_SQUINTS",
        "rejects": "squints",
        "value": lambda seen: seen.squint,
        "message": "squints by {value:.0f} degrees",
    }
    return most("squinting", **values | change)


@pytest.fixture
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


def _add(decision: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = (*table.DECISIONS["faces"], decision)
    monkeypatch.setitem(table.DECISIONS, "faces", faces)


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> Decision:
    """The table with a further filter of faces."""
    decision = _squinting()
    _add(decision, monkeypatch)
    return decision


def test_the_page_is_what_the_table_says(root: Path) -> None:
    said = (root / "docs" / "filters.md").read_text(encoding="utf-8")
    assert said == page.text(), "python -m mm_model.decisions.page docs/filters.md"


def test_a_further_filter_stands_on_the_page(one_more: Decision) -> None:
    row = "| squinting | squints | faces | `squint` | `faces.max_squint` | `FACE_SQUINTS` |"
    assert row in page.text()


@pytest.mark.parametrize("stage", sorted(table.DECISIONS))
def test_what_a_filter_measures_is_a_column_once(stage: str) -> None:
    measured = [measure.name for measure in table.MEASURES[stage]]
    for decision in table.DECISIONS[stage]:
        for measure in decision.measures:
            assert COLUMNS[stage].count(measure.name) == 1, decision.name
    assert len(set(measured)) == len(measured)
    assert set(measured) <= set(COLUMNS[stage])


def test_names_of_filters_are_nobody_elses() -> None:
    names = [one.name for stage in table.DECISIONS.values() for one in stage]
    assert len(set(names)) == len(names)


def test_every_value_that_a_filter_reads_is_in_every_profile(root: Path) -> None:
    for name in ("tiny", "tiny-long", "real-small", "paper"):
        loaded = load_profile(root, name)
        for stage in table.DECISIONS.values():
            for bound in (bound for one in stage for bound in one.thresholds):
                assert hasattr(loaded.section(bound.section), bound.field), bound.key


def test_the_list_of_reasons_is_closed(one_more: Decision) -> None:
    told = table.reasons()
    assert told[: len(Reason)] == [*map(str, Reason)]
    assert told[-1] == "FACE_SQUINTS" and len(set(told)) == len(told)


def test_a_section_takes_in_the_field_of_a_further_filter(
    one_more: Decision, profile: Profile
) -> None:
    wider = table.extended("faces")(FacesSettings)
    values = profile.faces.model_dump()
    assert wider(**values).max_squint is None, "a profile that is silent has it off"
    assert wider(**values, max_squint=30).max_squint == 30
    for wrong in ({"max_squint": "far"}, {"max_squints": 30}):
        with pytest.raises(ValidationError):
            wider(**values, **wrong)
    assert (wider.__name__, wider.__module__) == ("FacesSettings", "mm_model.settings.faces")


def test_without_a_further_filter_a_section_is_itself() -> None:
    assert table.extended("faces")(FacesSettings) is FacesSettings


def test_a_filter_of_a_field_that_nobody_declares_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decision = _squinting(threshold=Threshold("faces.max_squint"))
    monkeypatch.setitem(table.DECISIONS, "faces", (decision,))
    with pytest.raises(TypeError, match=r"faces\.max_squint"):
        table.extended("faces")(FacesSettings)


@pytest.mark.parametrize(
    ("make", "value", "broken"),
    [
        (most, 30.0, False),
        (most, 30.1, True),
        (most, None, False),
        (most, math.nan, True),
        (least, 30.0, False),
        (least, 29.9, True),
        (least, None, True),
        (least, math.nan, True),
    ],
)
def test_bounds_pass_and_what_is_no_number_does_not(
    make: Any, value: float | None, broken: bool
) -> None:
    one = make(
        "squinting",
        needs=Need.FACES,
        measure=SQUINT,
        threshold=Threshold("faces.max_squint"),
        reason="FACE_SQUINTS",
        rejects="",
        message="",
        value=lambda seen: seen,
    )
    found = first_broken([one], value, SimpleNamespace(max_squint=30.0))
    assert (found is not None) == broken
    assert first_broken([one], value, SimpleNamespace(max_squint=None)) is None


def test_the_first_broken_rule_is_told_with_its_value() -> None:
    second = dataclasses.replace(_squinting(), name="second", reasons=("OTHER",))
    seen, rules = SimpleNamespace(squint=41.5), SimpleNamespace(max_squint=30)
    found = first_broken([_squinting(), second], seen, rules)
    assert found == ("FACE_SQUINTS", "squints by 42 degrees", 41.5, 30)


def test_the_audit_holds_kept_rows_to_a_further_filter(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [check.column for check in suites.suite_of("faces", profile)]
    _add(_squinting(), monkeypatch)
    wider = table.extended("faces")(FacesSettings)
    on = profile.model_copy(update={"faces": wider(**profile.faces.model_dump(), max_squint=30)})
    off = profile.model_copy(update={"faces": wider(**profile.faces.model_dump())})
    assert [check.column for check in suites.suite_of("faces", off)] == plain
    *before, last = suites.suite_of("faces", on)
    assert [check.column for check in before] == plain
    assert (last.column, last.keywords["max_value"]) == ("squint", 30)
    assert "row_condition" in last.keywords


def test_each_filter_with_a_side_is_audited(profile: Profile) -> None:
    """A filter that lets something through is caught where its table is read again."""
    for stage, filters in table.DECISIONS.items():
        judged = {
            check.column
            for check in suites.suite_of(stage, profile)
            if "min_value" in check.keywords
        }
        for one in filters:
            bound = one.thresholds[0]
            on = getattr(profile.section(bound.section), bound.field) is not None
            if one.keeps is not None and on:
                assert one.measures[0].name in judged, one.name
