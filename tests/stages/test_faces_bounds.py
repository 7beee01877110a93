"""Bounds of stage `faces` that a profile may set: each rejects exactly what lies beyond it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_ingest import Sample, people, write_ingest

from mm_model.store import tables

pytestmark = pytest.mark.capability("face filters", scale="T")

SAME, OTHERS = 10_001, [10_002, 10_003]
Run = Callable[[Path, str], object]


def _rows(place: Path) -> dict[str, dict]:
    rows = tables.records(place / "data" / "tiny" / "faces" / "samples.parquet")
    return {row["name"]: row for row in rows}


@pytest.fixture
def by_folder(small_root: Path, edit_profile: Callable) -> Path:
    """Identities from folders: what is tested then does not hang on who is told apart."""
    edit_profile(small_root, **{"faces.identity": "folders"})
    return small_root / "data" / "tiny" / "ingest"


def _of(subject: str, samples: list[Sample]) -> list[Sample]:
    return [
        Sample(f"{subject}/{number}.jpg", sample.frames, subject, "train")
        for number, sample in enumerate(samples)
    ]


def test_one_person_under_two_names_is_kept_once_where_doubles_are_rejected(
    small_root: Path, by_folder: Path, run_stage: Run, edit_profile: Callable
) -> None:
    twice = people([SAME], photos=7, clips=0)
    samples = [*_of("ada", twice[:4]), *_of("again", twice[4:]), *people(OTHERS, clips=0)]
    write_ingest(by_folder, samples)
    edit_profile(small_root, **{"faces.redundant_above": 0.7})
    told = run_stage(small_root, "faces")
    before = _rows(small_root)
    assert not [row for row in before.values() if row["reason"] == "DUP_IDENTITY"]
    assert told.metrics["identities_redundant"] == 1
    assert any("look like another and are kept" in note for note in told.notes)
    edit_profile(small_root, **{"faces.redundant": "reject"})
    report = run_stage(small_root, "faces")
    rows = _rows(small_root)
    refused = {name: row for name, row in rows.items() if row["reason"] == "DUP_IDENTITY"}
    kept_before = {name for name, row in before.items() if row["status"] == "kept"}
    assert refused.keys() == {name for name in kept_before if name.startswith("again/")}
    assert refused, "the name of fewer samples goes"
    for row in refused.values():
        assert row["reason_threshold"] == 0.7 < row["reason_value"] <= 1
        assert (row["status"], row["embedding_row"]) == ("rejected", None)
    kept = [row for row in rows.values() if row["status"] == "kept"]
    assert {row["name"] for row in kept} == kept_before - refused.keys()
    assert sorted(row["embedding_row"] for row in kept) == list(range(len(kept)))
    assert report.counts.kept == len(kept) and report.counts.total == len(samples)


def test_heads_turned_beyond_the_bound_are_rejected_and_no_others(
    small_root: Path, by_folder: Path, run_stage: Run, edit_profile: Callable
) -> None:
    write_ingest(by_folder, people([SAME, *OTHERS], photos=5, clips=1))
    run_stage(small_root, "faces")
    before = _rows(small_root)
    turned = {n: abs(row["yaw"]) for n, row in before.items() if row["status"] == "kept"}
    ordered = sorted(turned.values())
    bound = round((ordered[len(ordered) // 2] + ordered[len(ordered) // 2 + 1]) / 2, 3)
    edit_profile(small_root, **{"faces.max_yaw": bound})
    run_stage(small_root, "faces")
    rows = _rows(small_root)
    refused = {name: row for name, row in rows.items() if row["reason"] == "FACE_POSE"}
    assert refused.keys() == {name for name, yaw in turned.items() if yaw > bound}
    assert 0 < len(refused) < len(turned)
    for name, row in refused.items():
        assert row["reason_value"] == pytest.approx(turned[name])
        assert row["reason_threshold"] == bound and "turned by" in row["message"]


def test_a_clip_that_becomes_another_person_s_is_rejected_where_a_bound_is_set(
    small_root: Path, by_folder: Path, run_stage: Run, edit_profile: Callable
) -> None:
    clips = [one for one in people([SAME, *OTHERS], photos=1, clips=1) if one.name.endswith("mp4")]
    spliced = np.concatenate([clips[0].frames[:3], clips[1].frames[3:]])
    photos = people([SAME, *OTHERS], photos=2, clips=0)
    both = Sample("person_10001/both.mp4", spliced, "person_10001", "train")
    write_ingest(by_folder, [*photos, *clips, both])
    edit_profile(small_root, **{"faces.found_share_min": 0.5})
    run_stage(small_root, "faces")
    before = _rows(small_root)
    assert before[both.name]["status"] == "kept", before[both.name]["message"]
    least = {name: row["track_cosine"] for name, row in before.items() if name.endswith("mp4")}
    assert all(row["track_cosine"] is None for n, row in before.items() if n.endswith("jpg"))
    own = min(cosine for name, cosine in least.items() if name != both.name)
    assert least[both.name] < own - 0.1
    bound = (least[both.name] + own) / 2
    edit_profile(small_root, **{"faces.track_cosine_min": bound})
    run_stage(small_root, "faces")
    rows = _rows(small_root)
    assert {n for n, row in rows.items() if row["reason"] == "FACE_CHANGES"} == {both.name}
    refused = rows[both.name]
    assert refused["reason_value"] == pytest.approx(least[both.name], abs=1e-6)
    assert refused["reason_threshold"] == pytest.approx(bound)
    assert refused["embedding_row"] is None and "becomes another's" in refused["message"]
