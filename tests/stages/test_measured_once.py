"""No file is opened twice for what is known of it: another bound, or a few files more.

Held against runs that know nothing: the tables are the same, row by row and byte by byte.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from mm_model.faces import detection
from mm_model.faces import row as record
from mm_model.ingest import sandbox
from mm_model.ingest.known import Checks
from mm_model.media.images import load_image
from mm_model.media.sheet import jpeg_bytes
from mm_model.settings import load_profile
from mm_model.store import digests, tables
from mm_model.store.layout import Layout
from tests.stages.drawn_ingest import people
from tests.stages.tarred import picture

Run = Callable[[Path, str], object]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """How many files each stage opened so far."""
    opened = {"ingest": 0, "faces": 0}
    check_all, measure = sandbox.Sandbox.check_all, record.measure

    def checking(self: sandbox.Sandbox, requests: list) -> Iterator:
        opened["ingest"] += len(requests)
        return check_all(self, requests)

    def measuring(pack: object, task: record.SampleTask) -> dict:
        opened["faces"] += 1
        return measure(pack, task)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox.Sandbox, "check_all", checking)
    monkeypatch.setattr(record, "measure", measuring)
    yield opened


@pytest.fixture
def folder(small_root: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """Three people in folders, a clip of one, two pictures without a face and no picture at all."""
    photos = small_root / "photos"
    for sample in people([11, 12, 13], photos=3, clips=0):
        path = photos / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_bytes(sample.frames[0], 92))
    for shade in (40, 90):
        (photos / f"plain{shade}.jpg").write_bytes(picture(shade, 96))
    (photos / "no.jpg").write_bytes(b"this is no picture")
    (photos / "consent.yaml").write_text(yaml.safe_dump({"basis": "own photos", "adults": True}))
    use_sources(small_root, photos)
    edit_profile(small_root, **{"faces.identity": "folders"})
    return photos


def _made(place: Path, run_stage: Run) -> dict[str, str]:
    for stage in ("sources", "ingest", "faces"):
        run_stage(place, stage)
    return {
        stage: digests.of_folder(Layout(place, "tiny").output(stage))
        for stage in ("sources", "ingest", "faces")
    }


def _anew(place: Path, run_stage: Run) -> dict[str, str]:
    """The same run where nothing is known."""
    shutil.rmtree(place / "work")
    return _made(place, run_stage)


BOUNDS = {
    "ingest": {
        "ingest.min_side": 200,
        "ingest.static_below": 3.0,
        "ingest.text_area_above": 0.0,
        "ingest.alike_within": None,
        "ingest.decode_seconds": 21,
    },
    "faces": {
        "faces.min_face": 60,
        "faces.min_sharpness": 1.0,
        "faces.max_yaw": 1.0,
        "faces.max_faces": 2,
        "faces.found_share_min": 0.1,
        "faces.identity": "clusters",
    },
}


@pytest.mark.parametrize("stage", BOUNDS)
def test_another_bound_opens_no_file_and_gives_what_a_run_from_nothing_gives(
    small_root: Path,
    folder: Path,
    run_stage: Run,
    edit_profile: Callable,
    counted: dict[str, int],
    stage: str,
) -> None:
    first = _made(small_root, run_stage)
    assert counted["ingest"] > 0
    assert counted["faces"] > 0
    edit_profile(small_root, **BOUNDS[stage])
    before = dict(counted)
    found = _made(small_root, run_stage)
    assert counted == before, "a file was opened again"
    assert found[stage] != first[stage]
    assert _anew(small_root, run_stage) == found


def test_a_file_under_another_ending_is_told_anew(
    small_root: Path, folder: Path, run_stage: Run
) -> None:
    """A picture that poses as a clip is refused for its name, and known by the same bytes."""

    def ran(name: str) -> dict:
        for stage in ("sources", "ingest"):
            run_stage(small_root, stage)
        rows = tables.records(Layout(small_root, "tiny").output("ingest") / "samples.parquet")
        (row,) = [row for row in rows if row["name"].endswith(name)]
        return row

    (folder / "plain40.jpg").rename(folder / "plain40.mp4")
    assert ran("plain40.mp4")["reason"] == "FMT_MISMATCH"
    (folder / "plain40.mp4").rename(folder / "plain40.jpg")
    assert ran("plain40.jpg")["status"] == "kept"


@pytest.mark.slow
def test_what_changes_the_looking_looks_again(
    small_root: Path, folder: Path, run_stage: Run, edit_profile: Callable, counted: dict[str, int]
) -> None:
    (folder / "wide.jpg").write_bytes(jpeg_bytes(np.full((80, 100, 3), 7, np.uint8), 90))
    _made(small_root, run_stage)
    before = dict(counted)
    edit_profile(small_root, **{"ingest.max_aspect": 1.0})
    found = _made(small_root, run_stage)
    assert counted["ingest"] - before["ingest"] == 2, "the strip, and the one that was refused"
    assert counted["faces"] == before["faces"]
    assert _anew(small_root, run_stage) == found
    before = dict(counted)
    edit_profile(small_root, **{"ingest.max_pixels": 10000, "faces.detection_size": 64})
    found = _made(small_root, run_stage)
    assert all(counted[stage] > before[stage] for stage in before)
    assert _anew(small_root, run_stage) == found


def test_a_cheap_look_spares_the_full_one_and_another_bound_of_it_looks_at_few(
    small_root: Path, folder: Path, run_stage: Run, edit_profile: Callable, counted: dict[str, int]
) -> None:
    """A lower bound looks in full at what it lets in, a higher one at nothing."""
    edit_profile(small_root, **{"faces.prescreen_size": 64, "faces.prescreen_above": 0.3})
    found = _made(small_root, run_stage)
    table = Layout(small_root, "tiny").output("faces") / "samples.parquet"
    rows = tables.records(table)
    spared = [row for row in rows if not row["frames_examined"]]
    assert [Path(row["name"]).stem[:5] for row in spared] == ["plain", "plain"]
    for row in spared:
        assert (row["status"], row["reason"]) == ("rejected", "FACE_NONE")
        assert row["reason_threshold"] == 0.3
        assert row["reason_value"] == row["prescreen"] < 0.3
        assert row["most_faces"] is row["found_share"] is row["detection_score"] is None
    assert all(row["prescreen"] >= 0.3 for row in rows if row not in spared)
    assert _anew(small_root, run_stage) == found
    for bound, looks in ((0.0, 2), (1.0, 0), (0.3, 9)):
        before = counted["faces"]
        edit_profile(small_root, **{"faces.prescreen_above": bound})
        found = _made(small_root, run_stage)
        assert counted["faces"] - before == looks, bound
        assert _anew(small_root, run_stage) == found


LOOKS = {
    "detection_size": 96,
    "prescreen_size": 64,
    "detection_above": 0.61,
    "padded_detection_above": 0.91,
    "pads": (0.35,),
    "bystander_below": 0.11,
    "frames_examined": 3,
    "track_cosine_min": 0.4,  # null there: then fewer frames are compared
}


def test_each_rule_of_looking_and_no_other_is_in_the_name_of_what_was_seen(root: Path) -> None:
    rules = load_profile(root, "tiny").faces
    task = record.SampleTask("a", Path("a.jpg"), "image", 1, 90, 80, rules)
    for name in rules.model_fields:
        changed = rules.model_copy(update={name: LOOKS.get(name, "other")})
        differs = dataclasses.replace(task, rules=changed).looks_as() != task.looks_as()
        assert differs == (name in LOOKS), name


def test_what_other_weights_saw_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another pack, another model of ages, and other weights of a filter."""
    known = SimpleNamespace(files={"a.jpg": "content"})
    monkeypatch.setattr(detection.manifest, "read", lambda _: known)
    monkeypatch.setattr(detection, "task_of", lambda *_: SimpleNamespace(looks_as=dict))
    job: Any = SimpleNamespace(inputs={"ingest": Path()})

    def pack(digest: str, ages: str | None) -> Any:
        attributes = SimpleNamespace(digest=ages) if ages else None
        return SimpleNamespace(digest=digest, attributes=attributes)

    packs = [pack("a", None), pack("b", None), pack("a", "a"), pack("a", "b")]
    names = [detection._Keys(job, one).of({"file": "a.jpg"}) for one in packs]
    assert len(set(names)) == len(packs)

    def keyed(version: str, weights: str) -> str:
        package = SimpleNamespace(version=version, files={"model": weights})
        looks: Any = SimpleNamespace(packages=(package,), text_band=None, nsfw=True, quality=False)
        examiner: Any = SimpleNamespace(allowance=sandbox.Allowance(1, 1, 1, 1))
        cache: Any = None
        checks = Checks(examiner, looks, cache, Path())
        return checks._key({"sha256": "content", "path": "a.jpg"})

    assert len({keyed("1", "a"), keyed("2", "a"), keyed("1", "b")}) == 3


def test_one_file_more_opens_one_file(
    small_root: Path, folder: Path, run_stage: Run, counted: dict[str, int]
) -> None:
    _made(small_root, run_stage)
    before = dict(counted)
    (more,) = people([14], photos=1, clips=0)
    path = folder / more.name
    path.parent.mkdir(parents=True)
    path.write_bytes(jpeg_bytes(more.frames[0], 92))
    found = _made(small_root, run_stage)
    assert counted["ingest"] - before["ingest"] == 1
    assert counted["faces"] - before["faces"] == 1
    rows = tables.records(Layout(small_root, "tiny").output("faces") / "samples.parquet")
    assert len(rows) == before["faces"] + 1
    assert _anew(small_root, run_stage) == found


@pytest.mark.slow
def test_a_rejected_face_that_another_bound_keeps_needs_its_embedding(
    small_root: Path,
    folder: Path,
    run_stage: Run,
    edit_profile: Callable,
    counted: dict[str, int],
) -> None:
    """Without `embed_rejected` those alone are looked at again; with it none is."""
    strict = {"faces.min_face": 1000}
    for embedded, looks in ((False, 9), (True, 0)):
        edit_profile(small_root, **{**strict, "faces.embed_rejected": embedded})
        shutil.rmtree(small_root / "work", ignore_errors=True)
        _made(small_root, run_stage)
        before = counted["faces"]
        edit_profile(small_root, **{"faces.min_face": 20})
        found = _made(small_root, run_stage)
        assert counted["faces"] - before == looks
        assert _anew(small_root, run_stage) == found


@pytest.mark.slow
def test_a_file_that_could_not_be_read_is_tried_again(
    small_root: Path,
    folder: Path,
    run_stage: Run,
    counted: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> dict:
        raise RuntimeError("for once")

    with monkeypatch.context() as context:
        context.setattr(record, "examine", fails)
        _made(small_root, run_stage)
    rows = tables.records(Layout(small_root, "tiny").output("faces") / "samples.parquet")
    assert {row["status"] for row in rows} == {"failed"}
    shutil.rmtree(small_root / "work" / "tiny")
    before = counted["faces"]
    _made(small_root, run_stage)
    assert counted["faces"] - before == len(rows)


@pytest.mark.slow
def test_a_file_that_changed_under_its_name_is_another(
    small_root: Path, folder: Path, run_stage: Run, counted: dict[str, int]
) -> None:
    _made(small_root, run_stage)
    before = dict(counted)
    path = next(folder.rglob("*.jpg"))
    path.write_bytes(jpeg_bytes(load_image(path)[:, ::-1], 80))
    found = _made(small_root, run_stage)
    assert counted["ingest"] - before["ingest"] == 1
    assert _anew(small_root, run_stage) == found


def test_a_known_file_that_became_a_folder_is_a_failed_row(
    small_root: Path, folder: Path, run_stage: Run
) -> None:
    _made(small_root, run_stage)
    shutil.rmtree(small_root / "work" / "tiny")
    path = next(folder.rglob("*/*.jpg"))
    path.unlink()
    path.mkdir()
    run_stage(small_root, "ingest")
    rows = tables.records(Layout(small_root, "tiny").output("ingest") / "samples.parquet")
    (row,) = [row for row in rows if row["name"] == path.relative_to(folder).as_posix()]
    assert (row["status"], row["reason"], row["file"]) == ("failed", "SYS_IO", None)
