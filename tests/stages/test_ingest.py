"""Stage ingest: every raw file gets exactly one row with the right reason, and the batch lives."""

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mm_model.decisions.ingest import broken_rule
from mm_model.media.encode import mp4_bytes
from mm_model.records import INGEST_COLUMNS
from mm_model.settings import load_profile
from mm_model.store import digests, tables

pytestmark = pytest.mark.capability("strangers' files", scale="T")

NOISE = np.random.default_rng(5)


def saved(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def footage(seed: int, number: int = 12, shift: int = 3) -> np.ndarray:
    wide = photograph(seed, 96, 256)
    return np.stack([wide[:, i * shift : i * shift + 96] for i in range(number)])


def without_box(content: bytes, name: bytes) -> bytes:
    at = content.index(name) - 4
    size = int.from_bytes(content[at : at + 4], "big")
    return content[:at] + content[at + size :]


def bomb() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def audio_only() -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for at in range(0, 16000, 1024):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.rate, sound.pts = 16000, at
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def exif_six(picture: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture, "JPEG", exif=exif)


def flipped(content: bytes) -> bytes:
    start = content.index(b"mdat") + 200
    damaged = bytearray(content)
    for place in range(start, len(content) - 20, 37):
        damaged[place] ^= 0x5A
    return bytes(damaged)


def lettered(picture: np.ndarray) -> np.ndarray:
    import cv2

    out = np.zeros_like(picture) + 120
    for row in (30, 70):
        cv2.putText(out, "SUBSCRIBE", (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 2)
    return out


def corpus() -> dict[bytes, tuple[bytes, str | None]]:
    """Name to (content, reason expected; None: kept)."""
    photo, clip = saved(photograph(1), "JPEG"), mp4_bytes(footage(1), 8)
    shades = [Image.new("RGB", (80, 80), (s, s, s)) for s in (0, 90, 200)]
    animation = {"save_all": True, "append_images": shades[1:]}
    still = np.repeat(footage(7, 1), 12, axis=0)
    cut = np.concatenate([footage(8, 6), footage(9, 6) // 5])
    return {
        b"good.jpg": (photo, None),
        b"good.mp4": (clip, None),
        b"good.webp": (saved(photograph(2), "WEBP"), None),
        b"png named.jpg": (saved(photograph(3), "PNG"), None),
        b"cmyk.jpg": (saved(Image.fromarray(photograph(4)).convert("CMYK"), "JPEG"), None),
        b"grey16.png": (saved(photograph(5)[..., 0].astype(np.uint16) * 257, "PNG"), None),
        b"palette.png": (
            saved(Image.fromarray(photograph(6)).quantize(16), "PNG", transparency=3),
            None,
        ),
        b"exif6.jpg": (exif_six(photograph(10)), None),
        b"caf\xe9.jpg": (saved(photograph(11), "JPEG"), None),
        b"two\nlines.jpg": (saved(photograph(12), "JPEG"), None),
        b"empty.jpg": (b"", "IO_EMPTY"),
        b"half.jpg": (photo[: len(photo) // 2], "IO_TRUNCATED"),
        b"page.jpg": (b"<html><body>404 not found</body></html>", "FMT_UNKNOWN"),
        b"bomb.png": (bomb(), "FMT_BOMB"),
        b"dot.png": (saved(np.zeros((1, 1, 3), np.uint8), "PNG"), "FMT_TOO_SMALL"),
        b"moving.gif": (saved(shades[0], "GIF", **animation), "FMT_ANIMATED"),
        b"moving.webp": (saved(shades[0], "WEBP", **animation), "FMT_ANIMATED"),
        b"jpeg named.mp4": (saved(photograph(13), "JPEG"), "FMT_MISMATCH"),
        b"mp4 named.jpg": (mp4_bytes(footage(14), 8), "FMT_MISMATCH"),
        b"half.mp4": (clip[: len(clip) // 2], "IO_TRUNCATED"),
        b"no index.mp4": (without_box(clip, b"moov"), "IO_UNREADABLE"),
        b"flipped.mp4": (flipped(mp4_bytes(footage(15), 8, crf=10)), "VID_DECODE_ERROR"),
        b"sound.mp4": (audio_only(), "VID_NO_VIDEO_STREAM"),
        b"short.mp4": (mp4_bytes(footage(16, 5), 8), "VID_TOO_SHORT"),
        b"long.mp4": (mp4_bytes(footage(17, 41, 1), 8), "VID_TOO_LONG"),
        b"still.mp4": (mp4_bytes(still, 8), "CONTENT_STATIC"),
        b"cut.mp4": (mp4_bytes(cut, 8), "CONTENT_CUT"),
        b"sign.png": (saved(lettered(photograph(18)), "PNG"), "CONTENT_TEXT"),
        b"good copy.jpg": (photo, None),  # sorts before good.jpg, so that one is the copy
        b"same pixels.png": (saved(Image.open(io.BytesIO(photo)), "PNG"), "DUP_PIXELS"),
        b"bad caption.jpg": (saved(photograph(19), "JPEG"), None),
    }


@pytest.fixture
def folder(small_root: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """An empty folder of media that params.yaml names; clips of 9 to 40 frames, consent given."""
    place = small_root / "raw"
    place.mkdir()
    use_sources(small_root, "raw")
    edit_profile(
        small_root,
        **{
            "sources.consent": "licence:test-pictures",
            "ingest.max_frames": 40,
            "ingest.min_side": 64,
            "ingest.static_below": 0.3,
            "ingest.cut_above": 0.45,
            "ingest.text_area_above": 0.05,
        },
    )
    return place


def ingested(root: Path, run_stage: Callable) -> dict[str, dict]:
    """Run sources and ingest; the rows by name."""
    run_stage(root, "sources")
    report = run_stage(root, "ingest")
    rows = samples(root)
    assert report.counts.total == len(rows)
    return {row["name"]: row for row in rows}


def samples(root: Path) -> list[dict]:
    return tables.records(root / "data" / "tiny" / "ingest" / "samples.parquet")


def test_bad_inputs_each_get_one_row_with_their_reason(
    small_root: Path, folder: Path, tmp_path: Path, run_stage: Callable
) -> None:
    expected = {}
    for name, (content, reason) in corpus().items():
        (folder / os.fsdecode(name)).write_bytes(content)
        text = name.decode("utf-8", "backslashreplace").replace("\n", "\\n")
        expected[text] = reason
    expected["good.jpg"] = "DUP_BYTES"
    (folder / "bad caption.txt").write_bytes(b"\0\1\2")
    (tmp_path / "secret.jpg").write_bytes(saved(photograph(30), "JPEG"))
    (folder / "escape.jpg").symlink_to(tmp_path / "secret.jpg")
    os.mkfifo(folder / "pipe.mp4")
    expected |= {"escape.jpg": "IO_SYMLINK_ESCAPE", "pipe.mp4": "IO_UNREADABLE"}
    rows = ingested(small_root, run_stage)
    assert {name: row["reason"] for name, row in rows.items()} == expected
    assert len({row["sample_id"] for row in rows.values()}) == len(rows)
    output = small_root / "data" / "tiny" / "ingest"
    assert (output / "sheet.jpg").stat().st_size > 2000
    kept = [row for row in rows.values() if row["status"] == "kept"]
    for row in rows.values():
        assert tuple(row) == INGEST_COLUMNS
        assert len(row["message"] or "") <= 300 and "\n" not in (row["message"] or "")
        assert row["status"] == "kept" or row["message"]
    assert sorted(p.name for p in (output / "files").iterdir()) == sorted(
        Path(row["file"]).name for row in kept
    )
    assert rows["exif6.jpg"]["width"] == 96 and rows["exif6.jpg"]["height"] == 128
    assert rows["png named.jpg"]["file"].endswith(".png")
    assert rows["short.mp4"]["reason_value"] == 5 and rows["short.mp4"]["reason_threshold"] == 9


def test_kept_files_are_byte_copies_named_by_content(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    content = saved(photograph(1), "JPEG")
    (folder / "a.jpg").write_bytes(content)
    (folder / "a.txt").write_text("a boy laughs")
    (folder / "b.mp4").write_bytes(mp4_bytes(footage(2), 8))
    rows = ingested(small_root, run_stage)
    copy = small_root / "data" / "tiny" / "ingest" / rows["a.jpg"]["file"]
    assert copy.read_bytes() == content
    assert copy.stat().st_ino != (folder / "a.jpg").stat().st_ino
    assert rows["a.jpg"]["sample_id"] == digests.of_bytes(content)[:16] == copy.stem
    assert rows["a.jpg"]["caption"] == "a boy laughs"
    assert rows["a.jpg"]["caption_origin"] == "sidecar"
    assert rows["b.mp4"]["caption_origin"] == "template"
    assert (rows["b.mp4"]["media"], rows["b.mp4"]["num_frames"], rows["b.mp4"]["fps"]) == (
        "clip",
        12,
        8.0,
    )


def test_files_without_consent_are_rejected_before_they_are_opened(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    for name, seed in (("ada", 1), ("bob", 2)):
        (folder / name).mkdir()
        (folder / name / "1.jpg").write_bytes(saved(photograph(seed), "JPEG"))
        (folder / name / "same.jpg").write_bytes(saved(photograph(3), "JPEG"))
    (folder / "bob" / "broken.jpg").write_bytes(b"not even a picture")
    record = {"basis": "signed form", "adults": True, "files": ["bob/1.jpg", "bob/same.jpg"]}
    (folder / "consent.yaml").write_text(yaml.safe_dump(record))
    rows = ingested(small_root, run_stage)
    assert {name: row["reason"] for name, row in rows.items()} == {
        "ada/1.jpg": "RIGHTS_CONSENT",
        "ada/same.jpg": "RIGHTS_CONSENT",
        "bob/broken.jpg": "RIGHTS_CONSENT",
        "bob/1.jpg": None,
        "bob/same.jpg": None,
    }


def test_a_file_that_changes_after_the_inventory_fails(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    (folder / "a.jpg").write_bytes(saved(photograph(1), "JPEG"))
    (folder / "b.jpg").write_bytes(saved(photograph(2), "JPEG"))
    (folder / "c.jpg").write_bytes(saved(photograph(4), "JPEG"))
    run_stage(small_root, "sources")
    (folder / "a.jpg").write_bytes(saved(photograph(3), "JPEG"))
    (folder / "b.jpg").unlink()
    report = run_stage(small_root, "ingest")
    assert report.counts.line() == "3 in = 1 kept + 0 rejected + 2 failed (SYS_IO 2)"


def test_a_rerun_in_the_same_work_folder_gives_the_same_bytes(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    for seed in range(5):
        (folder / f"{seed}.jpg").write_bytes(saved(photograph(seed), "JPEG"))
    (folder / "clip.mp4").write_bytes(mp4_bytes(footage(2), 8))
    ingested(small_root, run_stage)
    output = small_root / "data" / "tiny" / "ingest"
    first = json.loads((output / "manifest.json").read_text())["files"]
    run_stage(small_root, "ingest")
    resumed = json.loads((output / "manifest.json").read_text())["files"]
    for shard in (small_root / "work").rglob("shard-*.json"):
        shard.unlink()
    run_stage(small_root, "ingest")
    assert first == resumed == json.loads((output / "manifest.json").read_text())["files"]


def test_the_world_s_faults_are_rejected_for_what_they_are(
    small_root: Path, run_stage: Callable
) -> None:
    recipe = {
        "train_people": 2,
        "held_out_people": 0,
        "photos_per_person": 2,
        "clips_per_person": 2,
        "size": 128,
        "num_frames": 17,
        "fps": 8,
        "fault_rate": 0.01,
        "seed": 7,
    }
    (small_root / "profiles/people.yaml").write_text(yaml.safe_dump(recipe))
    rows = ingested(small_root, run_stage)
    marks = json.loads((small_root / "data/tiny/sources/files/synthetic.json").read_text())
    reasons = {
        "static": "CONTENT_STATIC",
        "cut": "CONTENT_CUT",
        "text": "CONTENT_TEXT",
        "duplicate": "DUP_BYTES",
        "truncated": "IO_TRUNCATED",
    }
    truth = {
        name: reasons.get(file["expected"])
        for call in marks["calls"]
        for name, file in call["files"].items()
    }
    assert set(reasons.values()) <= set(truth.values())
    for name, row in rows.items():
        # A copy and its original share their bytes: the first by name stays.
        twins = {truth[name], *(("DUP_BYTES",) if row["reason"] == "DUP_BYTES" else ())}
        assert row["reason"] in twins or truth[name] == "DUP_BYTES", (name, row["reason"])
    assert sum(row["reason"] == "DUP_BYTES" for row in rows.values()) == list(truth.values()).count(
        "DUP_BYTES"
    )


@pytest.mark.capability("strangers' files", scale="R")
def test_real_media_is_all_kept(
    small_root: Path,
    real_media: Path,
    use_sources: Callable,
    edit_profile: Callable,
    run_stage: Callable,
) -> None:
    params = yaml.safe_load((small_root / "params.yaml").read_text()) | {"profile": "real-small"}
    (small_root / "params.yaml").write_text(yaml.safe_dump(params))
    use_sources(small_root, real_media)
    edit_profile(small_root, **{"sources.consent": "licence:test-media"})
    run_stage(small_root, "sources")
    report = run_stage(small_root, "ingest")
    assert report.counts.line() == "20 in = 20 kept + 0 rejected + 0 failed"
    rows = tables.records(small_root / "data" / "real-small" / "ingest" / "samples.parquet")
    by_name = {row["name"]: row for row in rows}
    assert by_name["source_s30.jpg"]["codec"] == "png"
    assert "content is png" in by_name["source_s30.jpg"]["message"]
    assert by_name["driving_d14.mp4"]["num_frames"] == 536


def facts(**change: object) -> dict:
    return {
        "media": "clip",
        "width": 512,
        "height": 512,
        "num_frames": 20,
        "motion": 2.0,
        "cut": 0.1,
        "lettering": 0.0,
    } | change


@pytest.mark.parametrize("setting", ["static_below", "cut_above", "text_area_above"])
def test_a_rule_set_to_null_is_off(root: Path, setting: str) -> None:
    rules = load_profile(root, "tiny").ingest
    awful = facts(motion=0.0, cut=1.0, lettering=1.0)
    off = rules.model_copy(update=dict.fromkeys(("static_below", "cut_above", "text_area_above")))
    assert broken_rule(awful, off) is None
    alone = off.model_copy(update={setting: getattr(rules, setting)})
    assert broken_rule(awful, alone) is not None


def test_where_ocr_looked_it_decides(root: Path) -> None:
    rules = load_profile(root, "paper").ingest
    long = facts(num_frames=60, cut=0.0)
    assert broken_rule(long | {"lettering": 0.03, "ocr_area": None}, rules)[0] == "CONTENT_TEXT"
    assert broken_rule(long | {"lettering": 0.03, "ocr_area": 0.0}, rules) is None
    assert broken_rule(long | {"ocr_area": 0.03}, rules)[:3:2] == ("CONTENT_TEXT", 0.03)


def test_what_is_not_safe_for_work_is_rejected_where_a_profile_asks(root: Path) -> None:
    long = facts(num_frames=60)
    paper, tiny = (load_profile(root, name).ingest for name in ("paper", "tiny"))
    assert broken_rule(long | {"nsfw": 0.21}, paper) == (
        "CONTENT_NSFW",
        "it is probably not safe for work",
        0.21,
        0.2,
    )
    assert broken_rule(long | {"nsfw": 0.2}, paper) is None
    assert tiny.nsfw_above is None and broken_rule(long | {"nsfw": 1.0}, tiny) is None


def test_values_on_the_bound_pass(root: Path) -> None:
    rules = load_profile(root, "tiny").ingest
    edge = facts(
        width=rules.min_side,
        height=rules.min_side * rules.max_aspect,
        num_frames=rules.min_frames,
        motion=rules.static_below,
        cut=rules.cut_above,
        lettering=rules.text_area_above,
    )
    assert broken_rule(edge, rules) is None
    assert broken_rule(edge | {"num_frames": rules.min_frames - 1}, rules) is not None
    assert broken_rule(edge | {"height": edge["height"] + 1}, rules)[0] == "FMT_STRIP"
