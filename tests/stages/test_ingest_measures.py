"""Stage ingest: what the rules measure stands in every row; strips and damage get theirs."""

import importlib.util
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mm_model.decisions.ingest import broken_rule
from mm_model.errors import UserError
from mm_model.media import looks
from mm_model.media.encode import mp4_bytes
from mm_model.media.images import load_picture
from mm_model.media.shape import aspect_of, refuse_strip
from mm_model.records import INGEST_MEASURES
from mm_model.report import catalogue
from mm_model.settings import load_profile
from mm_model.store import tables
from mm_model.store.layout import Layout
from tests.stages.test_ingest import facts

IMAGE_MEASURES = {"shorter_side", "aspect", "pixels", "lettering"}
LOOKS = {"ocr_area", "nsfw", "watermark", "quality"}
OF_WORDS = {"caption_words", "caption_latin", "caption_repeats"}
"""Measured of a caption, where there is one."""
"""Measured only where a profile asks for it."""


@pytest.fixture
def ingested(
    small_root: Path, use_sources: Callable, edit_profile: Callable, run_stage: Callable
) -> Callable[..., dict[str, dict]]:
    """`ingested({name: content})`: the rows of a folder with these files, by name."""
    folder = small_root / "raw"
    folder.mkdir()
    use_sources(small_root, "raw")
    edit_profile(
        small_root,
        **{
            "sources.consent": "licence:test-pictures",
            "ingest.max_frames": 40,
            "ingest.max_aspect": 4,
            "ingest.text_area_above": 0.05,
        },
    )

    def run(files: dict[str, bytes]) -> dict[str, dict]:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        run_stage(small_root, "sources")
        run_stage(small_root, "ingest")
        rows = tables.records(small_root / "data/tiny/ingest/samples.parquet")
        return {row["name"]: row for row in rows}

    return run


def scenery(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def footage(seed: int, number: int = 12, shift: int = 3) -> np.ndarray:
    wide = scenery(seed, 96, 256)
    return np.stack([wide[:, i * shift : i * shift + 96] for i in range(number)])


def saved(picture: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def test_every_opened_file_has_its_measures_kept_or_not(ingested: Callable) -> None:
    still = np.repeat(footage(7, 1), 12, axis=0)
    cut = np.concatenate([footage(8, 6), footage(9, 6) // 5])
    rows = ingested(
        {
            "kept.jpg": saved(scenery(1), "JPEG"),
            "kept.mp4": mp4_bytes(footage(2), 8),
            "small.png": saved(scenery(3, 40, 50), "PNG"),
            "short.mp4": mp4_bytes(footage(4, 5), 8),
            "still.mp4": mp4_bytes(still, 8),
            "cut.mp4": mp4_bytes(cut, 8),
            "copy.png": saved(np.asarray(Image.open(io.BytesIO(saved(scenery(1), "JPEG")))), "PNG"),
        }
    )
    assert {name: row["reason"] for name, row in rows.items()} == {
        "kept.jpg": "DUP_PIXELS",
        "copy.png": None,
        "kept.mp4": None,
        "small.png": "FMT_TOO_SMALL",
        "short.mp4": "VID_TOO_SHORT",
        "still.mp4": "CONTENT_STATIC",
        "cut.mp4": "CONTENT_CUT",
    }
    for name, row in rows.items():
        known = set(INGEST_MEASURES) - LOOKS - OF_WORDS if name.endswith("mp4") else IMAGE_MEASURES
        assert {key for key in INGEST_MEASURES if row[key] is not None} == known, name
    still, cut = rows["still.mp4"], rows["cut.mp4"]
    assert still["motion"] == still["reason_value"] < rows["kept.mp4"]["motion"]
    assert cut["cut"] == cut["reason_value"] > rows["kept.mp4"]["cut"]
    assert rows["kept.mp4"]["seconds"] == 1.5 and rows["kept.mp4"]["fps"] == 8
    assert (rows["small.png"]["shorter_side"], rows["small.png"]["aspect"]) == (40, 1.25)
    assert rows["copy.png"]["pixels"] == 96 * 128


def test_copies_are_rejected_and_name_the_largest_which_stays(
    small_root: Path, edit_profile: Callable, ingested: Callable
) -> None:
    large = scenery(1, 192, 256)
    small = np.asarray(Image.fromarray(large).resize((128, 96)))
    clip = footage(2, 24)
    files = {
        "a small.jpg": saved(small, "JPEG", quality=60),
        "b large.jpg": saved(large, "JPEG", quality=90),
        "c again.jpg": saved(large, "JPEG", quality=70),
        "d mirrored.png": saved(large[:, ::-1], "PNG"),
        "e other.jpg": saved(scenery(3), "JPEG"),
        "f clip.mp4": mp4_bytes(clip, 8),
        "g clip again.mp4": mp4_bytes(clip, 8, crf=30),
    }
    rows = ingested(files)
    kept = {"b large.jpg", "e other.jpg", "f clip.mp4"}
    assert {name for name, row in rows.items() if row["status"] == "kept"} == kept
    for name in set(rows) - kept:
        row = rows[name]
        twin = "f clip.mp4" if name.endswith("mp4") else "b large.jpg"
        mirrored = " mirrored" if "mirrored" in name else ""
        assert (row["reason"], row["file"]) == ("DUP_PERCEPTUAL", None)
        assert row["message"] == f"looks like {twin}{mirrored}"
        assert 0 <= row["reason_value"] <= row["reason_threshold"] == 4
    assert {len(row["phash"]) for row in rows.values()} == {16, 32}
    edit_profile(small_root, **{"ingest.alike_within": None})
    assert {row["status"] for row in ingested({}).values()} == {"kept"}


def test_a_shaken_clip_is_rejected_where_a_bound_is_set_and_a_pan_is_not(
    small_root: Path, edit_profile: Callable, ingested: Callable
) -> None:
    offsets = np.random.default_rng(5).integers(-4, 5, (12, 2)) + 8
    wide = scenery(8, 128, 128)
    shaken = np.stack([wide[y : y + 96, x : x + 96] for y, x in offsets])
    rows = ingested({"shaken.mp4": mp4_bytes(shaken, 8), "panned.mp4": mp4_bytes(footage(2), 8)})
    assert {row["status"] for row in rows.values()} == {"kept"}, "off unless a profile says so"
    assert rows["panned.mp4"]["jitter"] < 0.5 < 1.5 < rows["shaken.mp4"]["jitter"]
    edit_profile(small_root, **{"ingest.jitter_above": 1})
    rows = ingested({})
    assert rows["panned.mp4"]["status"] == "kept"
    assert rows["shaken.mp4"]["reason"] == "CONTENT_JITTER"
    assert rows["shaken.mp4"]["reason_value"] == rows["shaken.mp4"]["jitter"]


def test_an_absent_package_stops_the_stage_before_a_file_is_opened(
    small_root: Path,
    edit_profile: Callable,
    ingested: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit_profile(small_root, **{"ingest.nsfw_above": 0.2})
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == looks.NSFW.module else found(name, *more),
    )
    with pytest.raises(UserError, match=r"ingest\.nsfw_above asks for .*'make filters'"):
        ingested({"kept.jpg": saved(scenery(1), "JPEG")})
    assert not (small_root / "data/tiny/ingest/samples.parquet").exists()


def test_poor_quality_is_rejected_where_a_profile_asks(root: Path) -> None:
    long = facts(num_frames=60)
    paper, tiny = (load_profile(root, name).ingest for name in ("paper", "tiny"))
    assert broken_rule(long | {"quality": 75.5}, paper) == (
        "CONTENT_QUALITY",
        "its quality is too poor",
        75.5,
        75,
    )
    assert broken_rule(long | {"quality": 75}, paper) is None
    assert tiny.quality_above is None and broken_rule(long | {"quality": 100}, tiny) is None


def test_text_that_only_ocr_can_tell_is_counted(
    small_root: Path, edit_profile: Callable, ingested: Callable
) -> None:
    if importlib.util.find_spec(looks.OCR.module) is None:
        pytest.skip("rapidocr is not installed (make filters)")
    edit_profile(small_root, **{"ingest.text_second_look": [0, 0.05]})
    rows = ingested({"kept.jpg": saved(scenery(1), "JPEG")})
    assert rows["kept.jpg"]["ocr_area"] == 0
    report = json.loads((small_root / "data/tiny/ingest/report.json").read_text())
    assert report["metrics"]["second_looks"] == 1
    assert any("rapidocr 3.10.0" in note for note in report["notes"])


def test_strips_are_rejected_by_their_header_with_their_aspect(ingested: Callable) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 1200, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    rows = ingested(
        {
            "strip.png": saved(np.zeros((64, 20_000, 3), np.uint8), "PNG"),
            "thread.png": saved(np.zeros((400_000, 1), np.uint8), "PNG"),
            "panorama.jpg": saved(np.zeros((360, 1600, 3), np.uint8), "JPEG"),
            "turned.jpg": saved(noise, "JPEG", exif=exif),
            "clip.mp4": mp4_bytes(noise[None, :, :642].repeat(9, axis=0), 8),
            "wide.jpg": saved(scenery(5, 80, 320), "JPEG"),
            "tall.jpg": saved(scenery(6, 320, 80), "JPEG"),
        }
    )
    refused = {name: row for name, row in rows.items() if row["reason"]}
    assert set(refused) == set(rows) - {"wide.jpg", "tall.jpg"}
    for name, row in refused.items():
        assert (row["reason"], row["reason_threshold"]) == ("FMT_STRIP", 4), name
        assert row["reason_value"] == row["aspect"] == aspect_of(row["width"], row["height"])
        assert row["lettering"] is None and row["media"] in ("image", "clip")
    assert refused["strip.png"]["aspect"] == 312.5
    assert refused["thread.png"]["pixels"] == 400_000


def test_a_null_aspect_switches_the_rule_off(
    small_root: Path, edit_profile: Callable, ingested: Callable
) -> None:
    edit_profile(small_root, **{"ingest.max_aspect": None})
    rows = ingested({"strip.png": saved(scenery(1, 64, 700), "PNG")})
    assert rows["strip.png"]["status"] == "kept"
    assert rows["strip.png"]["aspect"] == pytest.approx(700 / 64)


def test_what_is_known_of_a_damaged_file_is_kept(ingested: Callable) -> None:
    photo, clip = saved(scenery(1), "JPEG"), mp4_bytes(footage(2), 8, crf=10)
    damaged = bytearray(clip)
    middle = clip.index(b"mdat") + (len(clip) - clip.index(b"mdat")) // 2
    damaged[middle : middle + 500] = (
        np.random.default_rng(0).integers(0, 256, 500).astype(np.uint8).tobytes()
    )
    rows = ingested(
        {
            "half.jpg": photo[: len(photo) // 2] + b"\xff\xd9",
            "damaged.mp4": bytes(damaged),
        }
    )
    half, damaged = rows["half.jpg"], rows["damaged.mp4"]
    assert (half["reason"], half["codec"], half["pixels"]) == ("IO_TRUNCATED", "jpeg", 96 * 128)
    assert (damaged["reason"], damaged["fps"], damaged["width"]) == ("VID_DECODE_ERROR", 8, 96)
    assert "damaged after frame" in damaged["message"]


def test_the_loader_takes_the_limit_that_the_helper_enforces() -> None:
    strip = saved(scenery(1, 40, 400), "JPEG")
    assert load_picture(strip).pixels.shape == (40, 400, 3)
    refuse_strip(400, 40, None)
    refuse_strip(400, 40, 10)
    for call in (lambda: load_picture(strip, max_aspect=9.9), lambda: refuse_strip(40, 400, 9.9)):
        with pytest.raises(Exception, match="too long for its shorter side") as refused:
            call()
        assert (refused.value.reason, refused.value.value) == ("FMT_STRIP", 10)


def test_the_catalogue_carries_the_measures(small_root: Path, ingested: Callable) -> None:
    ingested(
        {
            "kept.jpg": saved(scenery(1), "JPEG"),
            "strip.png": saved(scenery(2, 20, 400), "PNG"),
            "page.jpg": b"<html>",
        }
    )
    layout = Layout(small_root, yaml.safe_load((small_root / "params.yaml").read_text())["profile"])
    catalogue.rebuild(layout)
    with sqlite3.connect(layout.catalogue) as connection:
        found = dict(
            connection.execute(
                "select s.name, m.aspect from measures m join sources s using (source_id)"
            )
        )
        joined = connection.execute(
            "select m.aspect from decisions d join measures m on m.source_id = d.item "
            "where d.stage = 'ingest' and d.reason = 'FMT_STRIP'"
        ).fetchall()
    assert found == {"kept.jpg": pytest.approx(4 / 3), "strip.png": 20.0, "page.jpg": None}
    assert joined == [(20.0,)]
