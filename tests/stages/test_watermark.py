"""Stage ingest with a classifier of watermarks: values, bounds, and what is looked at anew."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from mm_model.card import filters, outputs
from mm_model.classifiers.picture import PictureClassifier
from mm_model.decisions.ingest import broken_rule
from mm_model.errors import UserError
from mm_model.ingest import known, sandbox, watermark
from mm_model.media import looks
from mm_model.media.decode import read_frames
from mm_model.media.encode import mp4_bytes
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image
from mm_model.quality import audit
from mm_model.rows import Row
from mm_model.settings import IngestSettings, load_profile
from mm_model.store import digests, tables
from mm_model.store.layout import Layout
from tests.classifiers.made_classifiers import convnext, vit
from tests.stages.conftest import use_input
from tests.stages.test_ingest import facts, footage, photograph, saved

pytestmark = pytest.mark.capability("watermarks", scale="L")

ON = {"watermark_model": "vit", "watermark_label": "watermark", "watermark_above": 1.0}
PHOTOS, CLIPS = [f"{n}.jpg" for n in range(5)], ["7.mp4", "8.mp4"]
Ingested = Callable[..., tuple[dict[str, Row], Any]]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    vit(folder / "vit")
    convnext(folder / "convnext")
    return folder


@pytest.fixture
def place(small_root: Path, shelf: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """A root whose folder holds photographs, clips, a small picture and a damaged one."""
    folder = small_root / "raw"
    folder.mkdir()
    use_sources(small_root, "raw")
    use_input(small_root, "classifiers", shelf)
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures", "run.threads": 1})
    for number, name in enumerate(PHOTOS):
        (folder / name).write_bytes(saved(photograph(number), "JPEG"))
    for number, name in enumerate(CLIPS):
        (folder / name).write_bytes(mp4_bytes(footage(70 + number), 8))
    (folder / "small.png").write_bytes(saved(photograph(9, 20, 30), "PNG"))
    (folder / "page.jpg").write_bytes(b"<html>")
    return small_root


@pytest.fixture
def ingested(place: Path, run_stage: Callable, edit_profile: Callable) -> Ingested:
    """`ingested(**values of the profile)`: (rows by name, report)."""

    def run(**values: object) -> tuple[dict[str, Row], Any]:
        edit_profile(place, **{f"ingest.{name}": value for name, value in values.items()})
        if not (place / "data" / "tiny" / "sources").is_dir():
            run_stage(place, "sources")
        report = run_stage(place, "ingest")
        table = place / "data" / "tiny" / "ingest" / "samples.parquet"
        return {row["name"]: row for row in tables.records(table)}, report

    return run


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """How many files were decoded, and pictures scored, so far."""
    told = {"files": 0, "pictures": 0}
    check_all, scores = sandbox.Sandbox.check_all, PictureClassifier.scores

    def checking(self: sandbox.Sandbox, requests: list) -> Iterator:
        told["files"] += len(requests)
        return check_all(self, requests)

    def scoring(self: PictureClassifier, pictures: list[np.ndarray]) -> list[float]:
        told["pictures"] += len(pictures)
        return scores(self, pictures)

    monkeypatch.setattr(sandbox.Sandbox, "check_all", checking)
    monkeypatch.setattr(PictureClassifier, "scores", scoring)
    yield told


def by_the_library(folder: Path, picture: np.ndarray) -> float:
    from transformers import pipeline

    asked = pipeline("image-classification", model=str(folder), device="cpu")
    told = asked(Image.fromarray(picture), top_k=None)
    return next(one["score"] for one in told if one["label"] == "watermark")


def test_a_file_has_the_value_that_the_library_s_own_pipeline_gives_its_pixels(
    ingested: Ingested, place: Path, shelf: Path
) -> None:
    rows, report = ingested(**ON)
    for name in (*PHOTOS, "small.png"):
        expected = by_the_library(shelf / "vit", load_image(place / "raw" / name))
        assert rows[name]["watermark"] == pytest.approx(expected, abs=1e-6), name
    assert rows["small.png"]["reason"] == "FMT_TOO_SMALL", "measured of what is rejected too"
    assert rows["page.jpg"]["watermark"] is None, "nothing of it can be seen"
    output = place / "data" / "tiny" / "ingest"
    said = json.loads((output / "classifiers.json").read_text())
    assert said == {
        "watermark": {
            "adapter": "transformers",
            "name": "vit",
            "kind": "vit",
            "digest": digests.of_folder(shelf / "vit"),
            "label": "watermark",
        }
    }
    (note,) = [note for note in report.notes if note.startswith("vit (vit, ")]
    assert "told of 8 of 9 files how probably they are 'watermark'" in note
    profile = load_profile(place, "tiny")
    audit.audit("ingest", output, profile, [])
    audit.require_passed("ingest", output, profile, [])


def test_of_a_clip_the_largest_of_first_middle_and_last_frame_counts(
    ingested: Ingested, place: Path, shelf: Path, counted: dict[str, int]
) -> None:
    rows, _ = ingested(**ON)
    assert counted["pictures"] == len(PHOTOS) + 1 + 3 * len(CLIPS)
    spread = []
    for name in CLIPS:
        frames = read_frames(place / "raw" / name, [0, 6, 11])
        told = [by_the_library(shelf / "vit", frame) for frame in frames]
        assert rows[name]["watermark"] == pytest.approx(max(told), abs=1e-4), name
        spread.append(max(told) - min(told))
    assert min(spread) > 0.01, "the frames differ"


def test_what_lies_above_the_bound_is_rejected_and_another_bound_looks_at_nothing(
    ingested: Ingested, place: Path, counted: dict[str, int]
) -> None:
    rows, _ = ingested(**ON)
    first = dict(counted)
    assert first == {"files": 9, "pictures": 6 + 3 * len(CLIPS)}
    values = sorted(rows[name]["watermark"] for name in PHOTOS)
    bounded, _ = ingested(watermark_above=values[2])
    assert counted == first, "another bound decodes nothing and asks the model nothing"
    for name in PHOTOS:
        row = bounded[name]
        assert row["watermark"] == rows[name]["watermark"]
        assert (row["reason"] == "CONTENT_WATERMARK") == (row["watermark"] > values[2]), name
    loser = next(row for row in bounded.values() if row["reason"] == "CONTENT_WATERMARK")
    assert (loser["reason_value"], loser["reason_threshold"]) == (loser["watermark"], values[2])
    assert loser["message"] == "it probably shows a watermark" and loser["status"] == "rejected"
    shutil.rmtree(place / "work")
    anew, _ = ingested()
    assert anew == bounded, "as a run from nothing"


def test_the_card_draws_the_values_and_the_bound(ingested: Ingested, place: Path) -> None:
    rows, _ = ingested(**ON)
    middle = sorted(rows[name]["watermark"] for name in PHOTOS)[2]
    bounded, _ = ingested(watermark_above=middle)
    found = outputs.published(Layout(place, "tiny"))["ingest"]
    views = filters.viewed(found, load_profile(place, "tiny"))
    (view,) = [view for view in views if view.decision.name == "watermark"]
    lost = [row for row in bounded.values() if row["reason"] == "CONTENT_WATERMARK"]
    assert view.rejected == len(lost) > 0 and view.bounds == (("ingest.watermark_above", middle),)
    assert view.histogram is not None
    assert sum(bar.count for bar in view.histogram.bars if bar.kind == "rejected") >= len(lost)


def test_another_model_label_or_device_is_looked_at_anew(
    ingested: Ingested,
    edit_profile: Callable,
    place: Path,
    counted: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = ingested(**ON)
    before = dict(counted)
    other, _ = ingested(watermark_label="clean")
    assert counted == {key: 2 * value for key, value in before.items()}
    for name in PHOTOS:
        assert first[name]["watermark"] + other[name]["watermark"] == pytest.approx(1, abs=1e-6)
    model, _ = ingested(watermark_model="convnext")
    assert counted == {key: 3 * value for key, value in before.items()}
    assert model["0.jpg"]["watermark"] != other["0.jpg"]["watermark"]
    edit_profile(place, **{"run.device": "auto"})  # which is not the same everywhere
    monkeypatch.setattr(known, "device_of", lambda run: torch.device("cuda"))
    ingested(min_side=65)
    assert counted == {key: 4 * value for key, value in before.items()}
    ingested(**ON)
    assert counted == {key: 5 * value for key, value in before.items()}, "on another device"
    monkeypatch.setattr(known, "device_of", lambda run: torch.device("cpu"))
    back, _ = ingested(min_side=20)
    assert counted == {key: 5 * value for key, value in before.items()}, "that is known"
    assert back["0.jpg"]["watermark"] == first["0.jpg"]["watermark"]


def test_one_more_file_is_the_only_one_that_is_looked_at(
    ingested: Ingested, place: Path, run_stage: Callable, counted: dict[str, int]
) -> None:
    ingested(**ON)
    before = dict(counted)
    (place / "raw" / "new.jpg").write_bytes(saved(photograph(30), "JPEG"))
    run_stage(place, "sources")
    rows, _ = ingested()
    assert counted == {"files": before["files"] + 1, "pictures": before["pictures"] + 1}
    assert rows["new.jpg"]["watermark"] is not None


def test_without_a_model_the_column_is_empty_and_no_view_is_made(
    ingested: Ingested, place: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nobody asked for a classifier")

    monkeypatch.setattr(watermark, "WatermarkSandbox", never)
    monkeypatch.setattr(PictureClassifier, "__init__", never)
    rows, report = ingested()
    assert {row["watermark"] for row in rows.values()} == {None}
    (shard,) = (place / "work").rglob("shard-*.json")
    assert '"facts"' in shard.read_text() and '"views"' not in shard.read_text()
    output = place / "data" / "tiny" / "ingest"
    assert not (output / "classifiers.json").exists()
    assert not [note for note in report.notes if "watermark" in note]
    audit.audit("ingest", output, load_profile(place, "tiny"), [])
    for name in ("tiny", "tiny-long", "real-small", "paper"):
        off = load_profile(root, name).ingest
        assert (off.watermark_model, off.watermark_label, off.watermark_above) == (None,) * 3
        assert broken_rule(facts(num_frames=60, cut=0.0) | {"watermark": 1.0}, off) is None


def test_views_are_held_for_a_few_files_at_a_time_and_written_nowhere(
    ingested: Ingested, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    scored = watermark.WatermarkSandbox._scored
    monkeypatch.setattr(watermark, "_FILES", 2)

    def counting(self: watermark.WatermarkSandbox, found: list) -> list:
        asked.append(len(found))
        return scored(self, found)

    monkeypatch.setattr(watermark.WatermarkSandbox, "_scored", counting)
    ingested(**ON)
    assert asked == [2, 2, 2, 2, 1]
    shards = list((place / "work").rglob("shard-*.json"))
    assert shards
    for path in shards:
        rows = json.loads(path.read_text())["rows"]
        kept = [row["facts"] for row in rows if "facts" in row]
        assert len(kept) == 8 and all("views" not in one for one in kept)
        assert all(0 <= one["watermark"] <= 1 for one in kept)
    assert sum(path.stat().st_size for path in (place / "work").rglob("ingest.db")) < 300_000


def test_a_worker_that_hands_over_no_picture_costs_its_file_alone(shelf: Path) -> None:
    good = looks.view(photograph(1))
    foreign = [
        {},
        {"views": [good | {"pixels": "AAAA"}]},
        {"views": [good | {"height": 10**6}]},
        {"views": [good | {"pixels": "!"}]},
        {"views": "none"},
    ]

    class Workers:
        allowance = sandbox.Allowance(1, 1, 1, 1)

        def check_all(self, requests: list) -> Iterator:
            refused = MediaError("IO_TRUNCATED", "half")
            yield from [*foreign, refused, {"views": [good], "width": 128}][: len(requests)]

    classifier = PictureClassifier(shelf / "vit", "watermark", "cpu", way_out="")
    inner: Any = Workers()
    looking = watermark.WatermarkSandbox(inner, classifier)
    *bad, refused, kept = looking.check_all([(Path("x"), False)] * 7)
    assert [one.reason for one in bad] == ["SYS_WORKER_CRASH"] * len(foreign)
    assert refused.reason == "IO_TRUNCATED"
    (score,) = classifier.scores([photograph(1)])
    assert kept == {"width": 128, "watermark": score}


def test_a_classifier_that_is_not_there_stops_the_stage_before_any_file_is_opened(
    ingested: Ingested, place: Path, counted: dict[str, int]
) -> None:
    with pytest.raises(UserError) as refused:
        ingested(**ON | {"watermark_model": "other"})
    said = str(refused.value)
    assert said.startswith("ingest.watermark_model is other, and no folder of that name stands")
    assert "it holds convnext, vit" in said
    assert said.endswith(
        "or set ingest.watermark_model, watermark_label and watermark_above to null."
    )
    with pytest.raises(
        UserError, match="has no label 'stamp': its labels are 'clean', 'watermark'"
    ):
        ingested(**ON | {"watermark_label": "stamp"})
    assert counted["files"] == 0


def test_what_lies_on_the_shelf_is_part_of_what_the_stage_is_known_by(
    place: Path, run_stage: Callable, make_job: Callable, edit_profile: Callable, tmp_path: Path
) -> None:
    run_stage(place, "sources")
    edit_profile(place, **{f"ingest.{name}": value for name, value in ON.items()})
    names = [make_job(place, "ingest").fingerprint]
    vit(tmp_path / "other" / "vit", ("watermark", "clean"))
    use_input(place, "classifiers", tmp_path / "other")
    names.append(make_job(place, "ingest").fingerprint)
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("model",), "watermark_label and watermark_above are null"),
        (("model", "label"), "watermark_above is null"),
        (("above",), "watermark_model and watermark_label are null"),
        (("label", "above"), "watermark_model is null"),
    ],
)
def test_a_model_a_label_and_a_bound_come_together(
    root: Path, given: tuple[str, ...], said: str
) -> None:
    values = load_profile(root, "tiny").ingest.model_dump()
    assert IngestSettings(**values | ON).watermark_above == 1
    told = {f"watermark_{name}": ON[f"watermark_{name}"] for name in given}
    with pytest.raises(ValidationError, match=f"{said}: .* give all three or none"):
        IngestSettings(**values | told)


def test_a_large_picture_is_seen_at_no_more_than_a_view_s_size() -> None:
    large = photograph(3, 1200, 1500)
    seen = looks.seen(looks.view(large))
    assert seen.shape == (512, looks.VIEW_SIDE, 3)
    assert np.array_equal(seen, looks.small(large, looks.VIEW_SIDE))
    small = photograph(3)
    assert np.array_equal(looks.seen(looks.view(small)), small), "without loss"
