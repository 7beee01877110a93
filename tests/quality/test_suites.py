"""Every suite stops its own mutants, in words that name the expectation and the rows."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mm_model import records
from mm_model.errors import AuditError, UserError
from mm_model.quality import audit
from mm_model.quality.suites import suite_of
from mm_model.records import (
    FACES_COLUMNS,
    INGEST_COLUMNS,
    JUDGED_MEASURES,
    PAIRS_COLUMNS,
    SOURCES_COLUMNS,
    Bound,
)
from mm_model.run import stages
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, TrainSettings, load_profile

pytestmark = pytest.mark.capability("audits", scale="T")

ROWS = 120


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


def _names(prefix: str) -> list[str]:
    return [f"{prefix}{i:04d}" for i in range(ROWS)]


def _decided(columns: tuple[str, ...], **values) -> pd.DataFrame:
    frame = pd.DataFrame({column: [None] * ROWS for column in columns})
    for column, value in {"status": "kept", **values}.items():
        frame[column] = value
    for column in ("reason_value", "reason_threshold"):
        frame[column] = frame[column].astype(float)
    return frame


def _sources(_: Profile) -> dict[str, pd.DataFrame]:
    names = {"source_id": _names("s"), "name": _names("n"), "path": _names("p")}
    table = _decided(SOURCES_COLUMNS, **names, bytes=10, sha256=_names("d"), synthetic=True)
    return {"inventory.parquet": table}


def _ingest(_: Profile) -> dict[str, pd.DataFrame]:
    names = {"sample_id": _names("a"), "source_id": _names("s"), "name": _names("n")}
    shape = {"width": 128, "height": 128, "num_frames": 1, "shorter_side": 128, "pixels": 16384}
    caption = {"caption": "a man smiles", "caption_origin": "sidecar"}
    files = {"file": _names("f"), "pixel_id": _names("x"), "media": "image", "synthetic": True}
    files["phash"] = [f"{i:016x}" for i in range(ROWS)]
    measured = {"aspect": 1.0, "lettering": 0.0}
    table = _decided(INGEST_COLUMNS, **names, **shape, **caption, **files, **measured)
    return {"samples.parquet": table}


def _faces(_: Profile) -> dict[str, pd.DataFrame]:
    names = {"sample_id": _names("a"), "name": _names("n"), "identity": "id-0001"}
    sizes = {"num_frames": 1, "face_size": 64.0, "sharpness": 200.0, "embedding_norm": 20.0}
    sizes["occlusion"] = 0.5
    found = {"detection_score": 0.9, "found_share": 1.0, "many_share": 0.0}
    rest = {"media": "image", "split": "train", "embedding_row": range(ROWS)}
    table = _decided(FACES_COLUMNS, **names, **sizes, **found, **rest)
    box = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0}
    tracks = {"sample_id": _names("a"), "frame": 0, **box, "score": 0.9, "pad": 0.0}
    return {"samples.parquet": table, "tracks.parquet": pd.DataFrame(tracks)}


def _pairs(_: Profile) -> dict[str, pd.DataFrame]:
    names = {"pair_id": _names("p"), "target": _names("a"), "reference": _names("r")}
    rest = {"kind": "cross", "identity": "id-0001", "split": "train", "media": "image"}
    return {"pairs.parquet": _decided(PAIRS_COLUMNS, **names, **rest, cosine=0.8)}


def _precomputed(_: Profile) -> dict[str, pd.DataFrame]:
    words = dict.fromkeys(records.PRECOMPUTED_COLUMNS, "x") | {"sample_id": _names("a")}
    looks = {"latent_std": 1.9, "logvar_mean": -11.0, "face_share": 0.3, "split": "train"}
    frame = pd.DataFrame(words | looks | dict.fromkeys(("references", "offset", "bytes"), 512))
    return dict.fromkeys(("pictures.parquet", "clips.parquet"), frame)


def _trained(rules: TrainSettings) -> dict[str, pd.DataFrame]:
    steps = range(rules.log_every, rules.steps + 1, rules.log_every)
    curve = pd.DataFrame({"step": steps, "loss": 0.5, "learning_rate": 1e-3})
    who = {"sample_id": _names("a"), "identity": "id-1", "split": "train"}
    targets = pd.DataFrame({**who, "media": "clip", "caption": "a man", "references": 2})
    return {"targets.parquet": targets, "curve.parquet": curve}


def _evaluate(_: Profile) -> dict[str, pd.DataFrame]:
    cell = {"cell_id": _names("c"), "variant": "base", "identity": "id-1"}
    asked = {"prompt": "a man", "seed": 1}
    measured = {one.column: _inside(one) for one in bounds("evaluate")}
    people = {"picture": _names("p"), "identity": "id-1", "split": "held_out", "role": "shown"}
    said = dict.fromkeys(JUDGED_MEASURES, 0.5)
    judged = {"cell_id": _names("c"), "judge": "tiny", **said}
    made = {"cells": {**cell, **asked, **measured}, "judged": judged, "people": people}
    return {f"{name}.parquet": pd.DataFrame(rows) for name, rows in made.items()}


def _register(_: Profile) -> dict[str, pd.DataFrame]:
    release = {"model_name": "magic-mirror", "version": 1, "alias": "champion"}
    release |= {"release_digest": "r", "adapter_digest": "d"}
    return {"release.parquet": pd.DataFrame([release])}


GOOD: dict[str, Callable[[Profile], dict[str, pd.DataFrame]]] = {
    "sources": _sources,
    "ingest": _ingest,
    "faces": _faces,
    "pairs": _pairs,
    "precompute": _precomputed,
    "pretrain": lambda profile: _trained(profile.pretrain),
    "finetune": lambda profile: _trained(profile.finetune),
    "evaluate": _evaluate,
    "register": _register,
}


def _good(stage: str, profile: Profile) -> dict[str, pd.DataFrame]:
    return GOOD[stage](profile)


def written(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / name)


def bounds(stage: str) -> Sequence[Bound]:
    return stages.load(stage).bounds()


def _inside(bound: Bound) -> float:
    return next((float(end) for end in (bound.most, bound.least) if end is not None), 0.5)


MUTANTS = {
    "sources": ("inventory.parquet", "source_id", "s0000"),
    "ingest": ("samples.parquet", "width", 12),
    "faces": ("samples.parquet", "detection_score", np.nan),
    "pairs": ("pairs.parquet", "cosine", 0.2),
    "precompute": ("pictures.parquet", "latent_std", np.nan),
    "pretrain": ("curve.parquet", "loss", np.nan),
    "finetune": ("curve.parquet", "learning_rate", -1.0),
    "evaluate": ("cells.parquet", "face_found_rate", 1.5),
    "register": ("release.parquet", "alias", "winner"),
}


@pytest.mark.parametrize("stage", NAMES)
def test_a_good_table_passes(stage: str, tmp_path: Path, profile: Profile) -> None:
    written(tmp_path, _good(stage, profile))
    verdicts = audit.audit(stage, tmp_path, profile, bounds(stage))
    assert all(verdict.success for verdict in verdicts)
    assert json.loads((tmp_path / "audit.json").read_text())["success"] is True


@pytest.mark.parametrize("stage", NAMES)
def test_one_bad_row_stops_the_stage_by_name(stage: str, tmp_path: Path, profile: Profile) -> None:
    table, column, value = MUTANTS[stage]
    tables = _good(stage, profile)
    tables[table].loc[len(tables[table]) - 1, column] = value
    written(tmp_path, tables)
    with pytest.raises(AuditError) as stopped:
        audit.audit(stage, tmp_path, profile, bounds(stage))
    said = str(stopped.value)
    assert f"stage '{stage}'" in said and "expect_" in said and f"column '{column}'" in said
    assert f"(row {len(tables[table]) - 1})" in said
    record = json.loads((tmp_path / "audit.json").read_text())
    assert record["success"] is False and record["sentence"] == said


@pytest.mark.parametrize("stage", NAMES)
def test_an_empty_table_stops_the_stage(stage: str, tmp_path: Path, profile: Profile) -> None:
    written(tmp_path, {name: table.iloc[:0] for name, table in _good(stage, profile).items()})
    with pytest.raises(AuditError, match="expect_table_row_count_to_be_between"):
        audit.audit(stage, tmp_path, profile, bounds(stage))


@pytest.mark.parametrize("stage", NAMES)
def test_a_missing_column_stops_the_stage(stage: str, tmp_path: Path, profile: Profile) -> None:
    table, column, _ = MUTANTS[stage]
    tables = _good(stage, profile)
    tables[table] = tables[table].drop(columns=column)
    written(tmp_path, tables)
    with pytest.raises(AuditError, match=f"has no column '{column}'"):
        audit.audit(stage, tmp_path, profile, bounds(stage))


def test_a_missing_table_names_the_file(tmp_path: Path, profile: Profile) -> None:
    with pytest.raises(UserError, match=r"pairs\.parquet is missing"):
        audit.audit("pairs", tmp_path, profile)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("aspect", 20.0),
        ("pixels", 10**9),
        ("cut", 0.9),
        ("lettering", 0.5),
        ("motion", 0.01),
        ("shorter_side", None),
        ("phash", "0000000000000003"),
        ("phash", "no hash"),
        ("jitter", 1.1),
    ],
)
def test_a_kept_file_beyond_a_rule_of_ingest_stops_the_stage(
    tmp_path: Path, profile: Profile, column: str, value: float | str | None
) -> None:
    strict = profile.ingest.model_copy(update={"jitter_above": 1.0})
    tables = _good("ingest", profile)
    if not isinstance(value, str):
        tables["samples.parquet"][column] = tables["samples.parquet"][column].astype(float)
    tables["samples.parquet"].loc[7, column] = value
    written(tmp_path, tables)
    with pytest.raises(AuditError, match=f"column '{column}'"):
        audit.audit("ingest", tmp_path, profile.model_copy(update={"ingest": strict}))


@pytest.mark.parametrize("bad", [0.81, 1.5, -0.1, None])
@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_kept_file_with_a_watermark_or_without_a_value_stops_the_stage(
    tmp_path: Path, profile: Profile, bad: float | None, all_of_them: bool
) -> None:
    """Where no model is named, nothing is to be there, but what is must be a probability."""
    named = {"watermark_model": "x", "watermark_label": "y", "watermark_above": 0.8}
    bounded = {"ingest": profile.ingest.model_copy(update=named)}
    tables = _good("ingest", profile)
    written(tmp_path, tables)
    audit.audit("ingest", tmp_path, profile)
    table = tables["samples.parquet"].assign(watermark=0.8)
    written(tmp_path, {"samples.parquet": table})
    audit.audit("ingest", tmp_path, profile.model_copy(update=bounded))
    table.loc[table.index if all_of_them else [7], "watermark"] = bad
    written(tmp_path, {"samples.parquet": table})
    with pytest.raises(AuditError, match="column 'watermark'"):
        audit.audit("ingest", tmp_path, profile.model_copy(update=bounded))
    if bad not in (None, 0.81):
        with pytest.raises(AuditError, match="column 'watermark'"):
            audit.audit("ingest", tmp_path, profile)


@pytest.mark.parametrize("stage", ["sources", "ingest"])
def test_the_words_of_a_consent_stop_the_stage(
    stage: str, tmp_path: Path, profile: Profile
) -> None:
    ((name, table),) = _good(stage, profile).items()
    table.loc[2, "consent"] = "written agreement of Anna B., 2026-03-02"
    written(tmp_path, {name: table})
    with pytest.raises(AuditError, match=r"consent.*never its words"):
        audit.audit(stage, tmp_path, profile, bounds(stage))


def test_a_kept_face_that_is_covered_stops_the_stage(tmp_path: Path, profile: Profile) -> None:
    tables = _good("faces", profile)
    tables["samples.parquet"].loc[7, "occlusion"] = 0.9
    written(tmp_path, tables)
    audit.audit("faces", tmp_path, profile)
    bounded = profile.faces.model_copy(update={"max_occlusion": 0.84})
    with pytest.raises(AuditError, match="column 'occlusion'"):
        audit.audit("faces", tmp_path, profile.model_copy(update={"faces": bounded}))


@pytest.mark.parametrize("age", [17.9, None])
def test_a_kept_person_who_is_too_young_stops_the_stage(
    tmp_path: Path, profile: Profile, age: float | None
) -> None:
    tables = _good("faces", profile)
    tables["samples.parquet"]["age_years"] = 18.0
    tables["samples.parquet"].loc[7, "age_years"] = age
    written(tmp_path, tables)
    audit.audit("faces", tmp_path, profile)
    bounded = profile.faces.model_copy(update={"min_age": 18})
    with pytest.raises(AuditError, match="column 'age_years'"):
        audit.audit("faces", tmp_path, profile.model_copy(update={"faces": bounded}))


@pytest.mark.parametrize("yaw", [-61.0, 61.0, None])
def test_a_kept_head_that_is_turned_away_stops_the_stage(
    tmp_path: Path, profile: Profile, yaw: float | None
) -> None:
    tables = _good("faces", profile)
    tables["samples.parquet"]["yaw"] = 1.0
    tables["samples.parquet"].loc[7, "yaw"] = yaw
    written(tmp_path, tables)
    audit.audit("faces", tmp_path, profile)
    bounded = profile.faces.model_copy(update={"max_yaw": 60})
    with pytest.raises(AuditError, match="column 'yaw'"):
        audit.audit("faces", tmp_path, profile.model_copy(update={"faces": bounded}))


@pytest.mark.parametrize(
    ("stage", "table", "column", "value"),
    [
        ("pretrain", "targets", "split", "held_out"),
        ("finetune", "targets", "split", "held_out"),
        ("finetune", "targets", "references", 0),
        ("evaluate", "people", "split", "train"),
        ("evaluate", "people", "picture", "p0001"),
    ],
)
def test_who_is_where_he_may_not_be_stops_the_stage(
    tmp_path: Path, profile: Profile, stage: str, table: str, column: str, value: object
) -> None:
    """Held-out people in training, known ones in the test, a shown picture that judges."""
    tables = _good(stage, profile)
    tables[f"{table}.parquet"].loc[7, column] = value
    written(tmp_path, tables)
    with pytest.raises(AuditError, match=f"column '{column}'"):
        audit.audit(stage, tmp_path, profile, bounds(stage))


def test_a_judge_that_says_two_things_of_one_clip_stops_the_stage(
    tmp_path: Path, profile: Profile
) -> None:
    tables = _good("evaluate", profile)
    again = tables["judged.parquet"].iloc[:1]
    tables["judged.parquet"] = pd.concat([tables["judged.parquet"], again.assign(rank1=0.0)])
    written(tmp_path, tables)
    with pytest.raises(AuditError, match="cell_id and judge never twice together"):
        audit.audit("evaluate", tmp_path, profile, bounds("evaluate"))


def test_few_targets_stop_a_training(tmp_path: Path, profile: Profile) -> None:
    tables = _good("finetune", profile)
    tables["targets.parquet"] = tables["targets.parquet"].iloc[:19]
    written(tmp_path, tables)
    with pytest.raises(AuditError, match="at least 20 rows; observed 19"):
        audit.audit("finetune", tmp_path, profile)


FLOORS = {
    "ingest": 101,
    "faces": 102,
    "pairs": 103,
    "precompute": 107,
    "pretrain": 104,
    "finetune": 105,
    "evaluate": 106,
}
"""A floor of its own for each section; the shipped ones are alike."""


@pytest.mark.parametrize("stage", ["sources", *FLOORS])
def test_the_floor_of_a_stage_is_that_of_its_own_section(stage: str, profile: Profile) -> None:
    """The inventory has none of its own: it holds at least what ingest is to keep."""
    parts = {
        name: getattr(profile, name).model_copy(update={"row_floor": floor})
        for name, floor in FLOORS.items()
    }
    checks = suite_of(stage, profile.model_copy(update=parts), bounds(stage))
    counts = [one for one in checks if one.expectation == "ExpectTableRowCountToBeBetween"]
    floors = {
        one.keywords["min_value"]
        for one in counts
        if one.table not in ("curve.parquet", "people.parquet")
    }
    assert floors == {FLOORS["ingest" if stage == "sources" else stage]}


def test_rejected_rows_do_not_count_towards_the_floor(tmp_path: Path, profile: Profile) -> None:
    tables = _good("pairs", profile)
    frame = tables["pairs.parquet"]
    frame.loc[5:, "status"] = "rejected"
    frame.loc[5:, "reason"] = "PAIR_LOW_COSINE"
    written(tmp_path, tables)
    with pytest.raises(AuditError, match="at least 60 kept rows; observed 5"):
        audit.audit("pairs", tmp_path, profile)


def test_a_warning_lets_the_stage_go_on(
    tmp_path: Path, profile: Profile, capsys: pytest.CaptureFixture
) -> None:
    tables = _good("pairs", profile)
    tables["pairs.parquet"].loc[3, "cosine"] = 0.999
    written(tmp_path, tables)
    verdicts = audit.audit("pairs", tmp_path, profile)
    assert [v.severity for v in verdicts if not v.success] == ["warning"]
    assert "audit warning" in capsys.readouterr().out


def test_every_stage_has_a_floor_and_a_not_null(profile: Profile) -> None:
    for stage in NAMES:
        checks = suite_of(stage, profile, bounds(stage))
        assert checks[0].expectation == "ExpectTableRowCountToBeBetween", stage
        assert any(c.expectation == "ExpectColumnValuesToNotBeNull" for c in checks), stage
