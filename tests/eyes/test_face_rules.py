"""The rules on one sample, in their order, at their boundaries, and on real files."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faked import FakePack, face

from mm_model.eyes.examine import KEPT, Seen, decide, examine
from mm_model.eyes.pictures import Pictures
from mm_model.eyes.record import TRACK_FIELDS, Task, embeddings_of, face_of, look, tracks_of

RULES = SimpleNamespace(
    detection_above=0.5, padded_detection_above=0.65, pads=(0.25,), frames_examined=None,
    found_share_min=0.6, min_face=40, min_sharpness=10, max_faces=1,
    bystander_below=0.25,
)  # fmt: skip
GOOD = {
    "examined": 10, "found": 10, "padded_share": 0, "many_share": 0, "most_faces": 1,
    "bystanders": 0, "other_face": 0.0,
    "detection_score": 0.9, "face_size": 64.0, "sharpness": 50.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"found": 0}, "FACE_NONE"),
        ({"found": 5}, "FACE_TRACK_BROKEN"),
        ({"many_share": 0.21, "most_faces": 2}, "FACE_MANY"),
        ({"face_size": 39.9}, "FACE_SMALL"),
        ({"face_size": float("nan")}, "FACE_SMALL"),
        ({"sharpness": 9.9}, "FACE_BLUR"),
        ({"sharpness": float("nan")}, "FACE_BLUR"),
        ({"found": 5, "many_share": 1, "face_size": 1, "sharpness": 1}, "FACE_TRACK_BROKEN"),
        ({"many_share": 1, "face_size": 1, "sharpness": 1}, "FACE_MANY"),
        ({"face_size": 1, "sharpness": 1}, "FACE_SMALL"),
    ],
)
def test_each_rule_and_their_order(change: dict, reason: str) -> None:
    decision = decide(Seen(**(GOOD | change)), RULES, "clip")
    assert (decision.status, decision.reason) == ("rejected", reason)
    assert decision.reason_threshold is not None
    assert decision.reason_value is None or np.isfinite(decision.reason_value)


@pytest.mark.parametrize(
    "change", [{"found": 6}, {"many_share": 0.2}, {"face_size": 40.0}, {"sharpness": 10.0}]
)
def test_a_value_at_its_threshold_passes(change: dict) -> None:
    assert decide(Seen(**(GOOD | change)), RULES, "clip") == KEPT


def _clip(folder: Path, frames: np.ndarray) -> Pictures:
    from mm_model.media.encode import write_mp4

    write_mp4(folder / "clip.mp4", frames, 8)
    return Pictures(folder / "clip.mp4", "clip", len(frames), frames.shape[2], frames.shape[1])


def _noise(number: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (number, 12, 12, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_a_clip_is_embedded_on_five_frames_and_tracked_on_all(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(10, 12, 60)])
    examined = examine(pack, _clip(tmp_path, _noise(17)), RULES)
    assert examined.decision == KEPT
    assert len(examined.tracks) == 17
    assert examined.frames == [0, 4, 8, 12, 16]
    assert examined.embeddings.shape == (5, 4)
    np.testing.assert_allclose(np.linalg.norm(examined.embeddings, axis=1), 1, rtol=1e-6)


def test_a_long_clip_is_read_in_portions_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.eyes import pictures as module

    tells = lambda image: image.reshape(-1, 3).mean(0)  # noqa: E731
    clip = _clip(tmp_path, _noise(17))
    whole = examine(FakePack(lambda image: [face(10, 12, 60)], tells), clip, RULES)
    monkeypatch.setattr(module, "_PORTION_BYTES", 4 * 96 * 96 * 3)
    again = Pictures(clip.path, "clip", 17, 96, 96)
    portions = examine(FakePack(lambda image: [face(10, 12, 60)], tells), again, RULES)
    np.testing.assert_array_equal(whole.embeddings, portions.embeddings)
    assert whole.seen == portions.seen


def test_only_the_frames_asked_for_are_examined(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(10, 12, 60)])
    rules = SimpleNamespace(**(vars(RULES) | {"frames_examined": 4}))
    examined = examine(pack, _clip(tmp_path, _noise(17)), rules)
    assert [frame for frame, _, _ in examined.tracks] == [0, 5, 10, 16]
    assert len(pack.shown) == 4


def test_a_second_person_in_a_clip_is_seen(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(2, 12, 42), face(50, 12, 44)])
    assert examine(pack, _clip(tmp_path, _noise(9)), RULES).decision.reason == "FACE_MANY"
    two = SimpleNamespace(**(vars(RULES) | {"max_faces": 2}))
    assert examine(pack, _clip(tmp_path, _noise(9)), two).decision == KEPT


def _task(path: Path, media: str = "image") -> Task:
    return Task("ab" * 8, path, media, 1, 96, 96, RULES)


def _photo(folder: Path) -> Path:
    from mm_model.media.sheet import jpeg_bytes

    path = folder / "photo.jpg"
    path.write_bytes(jpeg_bytes(_noise(1)[0]))
    return path


def test_a_row_gives_back_its_track_and_embeddings(tmp_path: Path) -> None:
    row = look(FakePack(lambda image: [face(10, 12, 60, 0.75)]), _task(_photo(tmp_path)))
    entry = dict(zip(TRACK_FIELDS, tracks_of(row)[0], strict=True))
    found, wanted = face_of(entry), face(10, 12, 60, 0.75)
    np.testing.assert_array_equal(found.box, wanted.box)
    np.testing.assert_array_equal(found.landmarks, wanted.landmarks)
    assert (entry["frame"], entry["pad"], found.score) == (0, 0, 0.75)
    np.testing.assert_allclose(embeddings_of(row), [[0.5] * 4])


def test_a_dead_recogniser_fails_the_sample_and_embeds_nothing(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(10, 12, 60)], lambda image: np.full(4, np.nan))
    row = look(pack, _task(_photo(tmp_path)))
    assert (row["status"], row["reason"]) == ("failed", "SYS_WORKER_CRASH")
    assert embeddings_of(row).size == 0


def test_a_file_that_vanished_fails_alone(tmp_path: Path) -> None:
    row = look(FakePack(lambda image: []), _task(tmp_path / "gone.jpg"))
    assert (row["status"], row["reason"]) == ("failed", "SYS_IO")
    (tmp_path / "half.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 40)
    row = look(FakePack(lambda image: []), _task(tmp_path / "half.mp4", "clip"))
    assert row["status"] == "failed"
