"""Stages on another pool: the same files, and a crash of any item is a row of its table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.faces import detection
from mm_model.pairs import stage as pairs
from mm_model.run.pools.port import Crashed
from mm_model.store import digests, tables
from tests.run import fake_pool

STAGES = ("sources", "ingest", "faces", "pairs")


@pytest.fixture(autouse=True)
def _few_people(small_root: Path) -> None:
    path = small_root / "profiles" / "people.yaml"
    few = {"train_people": 2, "photos_per_person": 2, "clips_per_person": 0}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | few))


def _all_through_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_FRAMES_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(pairs, "_PICTURES_WORTH_A_PROCESS", 1)


def test_every_stage_gives_the_same_on_another_pool(
    small_root: Path, run_stage: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_root / "data" / "tiny"
    for stage in STAGES:
        run_stage(small_root, stage)
    first = {stage: digests.of_folder(data / stage) for stage in STAGES}
    _all_through_the_pool(monkeypatch)
    notes = fake_pool.chosen(monkeypatch)
    for stage in STAGES:
        run_stage(small_root, stage)
        assert digests.of_folder(data / stage) == first[stage], stage
    assert [processes for processes, _ in notes.opened] == [2, 2, 2, 2]
    confined = [limits for _, limits in notes.opened if limits.confined]
    assert len(confined) == 1 and confined[0].seconds and confined[0].memory_mb


@pytest.mark.parametrize(
    ("end", "reason"),
    [(Crashed(), "SYS_WORKER_CRASH"), (Crashed(late=True), "VID_DECODE_TIMEOUT")],
)
def test_a_crash_in_ingest_is_a_row(
    small_root: Path, run_stage: Callable, monkeypatch: pytest.MonkeyPatch, end: Any, reason: str
) -> None:
    run_stage(small_root, "sources")
    fake_pool.chosen(monkeypatch, lambda item: end if item[1].name == "photo_001.jpg" else None)
    report = run_stage(small_root, "ingest")
    rows = tables.records(small_root / "data" / "tiny" / "ingest" / "samples.parquet")
    ended = {row["name"]: row["reason"] for row in rows if row["reason"]}
    assert ended and set(ended.values()) == {reason}
    assert all(name.endswith("photo_001.jpg") for name in ended)
    assert report.counts.total == len(rows)


def test_a_crash_in_faces_and_pairs_is_a_row(
    small_root: Path, run_stage: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _all_through_the_pool(monkeypatch)
    for stage in ("sources", "ingest"):
        run_stage(small_root, stage)
    begun: list[Any] = []

    def first(item: Any) -> Crashed | None:
        begun.append(item)
        return Crashed() if len(begun) == 1 else None

    for stage, table in (("faces", "samples"), ("pairs", "pairs")):
        begun.clear()
        fake_pool.chosen(monkeypatch, first)
        report = run_stage(small_root, stage)
        assert set(report.counts.failed) == {"SYS_WORKER_CRASH"}, stage
        rows = tables.records(small_root / "data" / "tiny" / stage / f"{table}.parquet")
        assert any(row["status"] == "failed" and row["message"] for row in rows)


def test_a_drawing_that_crashed_is_said_and_the_others_work_is_kept(
    small_root: Path, run_stage: Callable, make_job: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = fake_pool.chosen(
        monkeypatch, lambda call: Crashed() if call.folder.name == "call-0" else None
    )
    with pytest.raises(UserError, match="ended early"):
        run_stage(small_root, "sources")
    drawn = make_job(small_root, "sources").work / "drawn"
    assert [path.name for path in drawn.iterdir() if path.is_dir()] == ["call-1"]
    notes.fails = lambda _: None
    notes.items.clear()
    run_stage(small_root, "sources")
    assert [call.folder.name for call in notes.items] == ["call-0"]
