"""Age and gender through stage `faces`: columns, the bound, and packs that cannot tell."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from drawn_ingest import people, write_ingest

from mm_model.errors import UserError
from mm_model.faces import row as record
from mm_model.store import tables
from mm_model.store.layout import Layout
from tests.facepack.test_genderage import made

pytestmark = pytest.mark.capability("face filters", scale="T")

Run = Callable[[Path, str], object]


def _use(place: Path, pack: Path) -> None:
    params = yaml.safe_load((place / "params.yaml").read_text())
    (place / "params.yaml").write_text(yaml.safe_dump(params | {"facepack": str(pack)}))


def _rows(place: Path) -> list[dict]:
    return tables.records(Layout(place, "tiny").output("faces") / "samples.parquet")


@pytest.fixture
def ready(small_root: Path, edit_profile: Callable) -> Path:
    write_ingest(Layout(small_root, "tiny").output("ingest"), people([10_001, 50_005]))
    edit_profile(small_root, **{"faces.identity": "folders", "faces.row_floor": 1})
    return small_root


def test_a_bound_that_the_pack_cannot_measure_stops_the_stage(
    ready: Path, run_stage: Run, edit_profile: Callable
) -> None:
    """Nobody may pass it unasked; without a bound the columns are empty."""
    edit_profile(ready, **{"faces.min_age": 18})
    with pytest.raises(UserError, match=r"faces\.min_age is 18.*no genderage model"):
        run_stage(ready, "faces")
    edit_profile(ready, **{"faces.min_age": None})
    run_stage(ready, "faces")
    assert {(row["age_years"], row["gender_p_female"]) for row in _rows(ready)} == {(None, None)}


def test_ages_are_measured_once_and_whoever_is_under_the_bound_is_left_out(
    ready: Path,
    run_stage: Run,
    edit_profile: Callable,
    tiny_facepack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = []
    measure = record.measure

    def counted(pack: object, task: record.SampleTask) -> dict:
        looked.append(task.sample_id)
        return measure(pack, task)  # type: ignore[arg-type]

    monkeypatch.setattr(record, "measure", counted)
    run_stage(ready, "faces")
    _use(ready, made(shutil.copytree(tiny_facepack, tmp_path / "pack"), seed=2))
    first = len(looked)
    run_stage(ready, "faces")
    assert len(looked) == 2 * first, "the other pack knows more of the same files"
    ages = sorted(row["age_years"] for row in _rows(ready))
    assert all(0 <= row["gender_p_female"] <= 1 for row in _rows(ready))
    bound = ages[len(ages) // 2]
    assert ages[0] < bound
    edit_profile(ready, **{"faces.min_age": bound})
    run_stage(ready, "faces")
    assert len(looked) == 2 * first, "another bound opens no file"
    for row in _rows(ready):
        assert (row["reason"] == "FACE_YOUNG") == (row["age_years"] < bound)
        if row["reason"] == "FACE_YOUNG":
            assert (row["reason_value"], row["reason_threshold"]) == (row["age_years"], bound)
