"""Tables spoilt as a whole are stopped, of every stage, in every column that a rule looks at."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mm_model.errors import AuditError
from mm_model.quality import audit
from mm_model.quality.check import Check
from mm_model.quality.suites import suite_of
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, load_profile
from tests.quality.test_suites import GOOD, bounds

pytestmark = pytest.mark.capability("audits", scale="T")


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


def _checks(stage: str, profile: Profile, table: str) -> list[Check]:
    return [one for one in suite_of(stage, profile, bounds(stage)) if one.table == table]


def _stopped(frame: pd.DataFrame, folder: Path, table: str, checks: list[Check]) -> list[str]:
    """The expectations that this table fails, of those that stop."""
    folder.mkdir(exist_ok=True)
    frame.to_parquet(folder / table)
    found = audit._audit_table(folder, table, checks)
    return [one.expectation for one in found if not one.success and one.severity == "critical"]


def _tables(stage: str, profile: Profile) -> dict[str, pd.DataFrame]:
    """Good tables; every third sample is a clip that moves, where there are such columns."""
    found = GOOD[stage](profile)
    if stage == "ingest":
        (table,) = found.values()
        clips = np.arange(len(table)) % 3 == 0
        table.loc[clips, "media"] = "clip"
        table.loc[clips, "num_frames"] = 9
        table["phash"] = [
            name * 2 if clip else name for name, clip in zip(table.phash, clips, strict=True)
        ]
        for column, value in {"motion": 2.0, "cut": 0.1}.items():
            table[column] = np.where(clips, value, np.nan)
    return found


NULL_IS_AN_ANSWER = {
    # What a judge or a metric cannot say of a clip is null there, by the metric's own rule.
    ("evaluate", "judged.parquet", "identity_similarity_penalised"),
    ("evaluate", "judged.parquet", "own_face_found_rate"),
    # A source that could not be read has no size.
    ("sources", "inventory.parquet", "bytes"),
    # No profile names a classifier of watermarks.
    ("ingest", "samples.parquet", "watermark"),
    # OCR looks at a few files alone.
    ("ingest", "samples.parquet", "ocr_area"),
    # A head's turn asks nothing where no bound is set; landmarks may be degenerate.
    ("faces", "samples.parquet", "yaw"),
    ("faces", "samples.parquet", "roll"),
    # Few packs hold a model that estimates gender.
    ("faces", "samples.parquet", "gender_p_female"),
}


@pytest.mark.parametrize("stage", NAMES)
def test_a_range_never_passes_a_column_of_nothing(
    stage: str, tmp_path: Path, profile: Profile
) -> None:
    """The library's ranges pass null: each column with one is also asked to be there."""
    optional = {bound.column for bound in bounds(stage) if not bound.always}
    for name, frame in _tables(stage, profile).items():
        checks = _checks(stage, profile, name)
        ranged = {one.column for one in checks if one.keywords.keys() & {"min_value", "max_value"}}
        for column in sorted(ranged - {None} - optional):
            mutant = frame.assign(**{column: np.nan})
            stopped = _stopped(mutant, tmp_path / "out", name, checks)
            assert bool(stopped) != ((stage, name, column) in NULL_IS_AN_ANSWER), column


@pytest.mark.parametrize("stage", NAMES)
def test_shifted_numbers_are_stopped(stage: str, tmp_path: Path, profile: Profile) -> None:
    for name, frame in _tables(stage, profile).items():
        checks = _checks(stage, profile, name)
        ends = {
            one.column: (one.keywords.get("min_value"), one.keywords.get("max_value"))
            for one in checks
            if one.column and one.severity == "critical" and "min_value" in one.keywords
        }
        for column, (low, high) in ends.items():
            shift = 1e12 if high is not None else -1e12
            if (low, high) == (None, None):
                continue
            if not frame[column].notna().any():
                frame[column] = 0.5
            mutant = frame.assign(**{column: frame[column].astype(float) + shift})
            assert _stopped(mutant, tmp_path / "out", name, checks), (name, column)


@pytest.mark.parametrize("stage", [name for name in NAMES if name != "register"])
def test_a_table_that_stands_twice_is_stopped(stage: str, tmp_path: Path, profile: Profile) -> None:
    for name, frame in _tables(stage, profile).items():
        checks = _checks(stage, profile, name)
        twice = pd.concat([frame, frame], ignore_index=True)
        assert any("unique" in one for one in _stopped(twice, tmp_path / "out", name, checks)), name


def test_the_audit_of_a_spoilt_table_publishes_nothing(tmp_path: Path, profile: Profile) -> None:
    (table,) = _tables("ingest", profile).values()
    table["lettering"] = np.nan
    table.to_parquet(tmp_path / "samples.parquet")
    with pytest.raises(AuditError, match="column 'lettering': never null"):
        audit.audit("ingest", tmp_path, profile, bounds("ingest"))
