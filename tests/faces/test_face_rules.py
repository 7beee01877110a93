"""The rules on one sample, in their order, at their boundaries, and on real files."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mm_model.decisions.faces import FaceMeasurements
from mm_model.decisions.table import thresholds
from mm_model.facepack.port import face_of
from mm_model.faces.examine import KEPT, LOOKING, decide, decided, examine
from mm_model.faces.pictures import Pictures
from mm_model.faces.row import (
    TRACK_FIELDS,
    SampleTask,
    embeddings_of,
    look,
    measure,
    row_of,
    serves,
    tracks_of,
)
from mm_model.settings import load_profile
from tests.faces.faked import FakePack, face

pytestmark = pytest.mark.capability("face filters", scale="T")

RULES = load_profile(Path(__file__).parents[2], "tiny").faces.model_copy(
    update=dict.fromkeys(one.field for one in thresholds("faces") if one.within)  # off here
    | {
        "detection_above": 0.5,
        "padded_detection_above": 0.65,
        "pads": (0.25,),
        "frames_examined": None,
        "found_share_min": 0.6,
        "min_face": 40,
        "min_sharpness": 10,
        "max_faces": 1,
        "bystander_below": 0.25,
    }
)
GOOD = {
    "examined": 10,
    "found": 10,
    "padded_share": 0,
    "many_share": 0,
    "most_faces": 1,
    "bystanders": 0,
    "other_face": 0.0,
    "detection_score": 0.9,
    "face_size": 64.0,
    "sharpness": 50.0,
    "yaw": 0.0,
}


def _seen(**change: float) -> FaceMeasurements:
    values = GOOD | change
    medians = {name: values.pop(name) for name in ("face_size", "sharpness", "yaw")}
    return FaceMeasurements(**values, medians=medians)


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
    decision = decide(_seen(**change), RULES)
    assert (decision.status, decision.reason) == ("rejected", reason)
    assert decision.reason_threshold is not None
    assert decision.reason_value is None or np.isfinite(decision.reason_value)


@pytest.mark.parametrize("yaw", [-60.1, 60.1, float("nan")])
def test_a_head_turned_to_either_side_is_rejected_where_a_bound_is_set(yaw: float) -> None:
    strict = RULES.model_copy(update={"max_yaw": 60})
    decision = decide(_seen(yaw=yaw), strict)
    assert (decision.reason, decision.reason_threshold) == ("FACE_POSE", 60)
    assert decision.reason_value == (60.1 if np.isfinite(yaw) else None)
    assert decide(_seen(yaw=yaw), RULES) == KEPT, "null switches it off"
    assert decide(_seen(yaw=np.copysign(60, yaw)), strict) == KEPT


@pytest.mark.parametrize(("age", "young"), [(17.9, True), (float("nan"), True), (18, False)])
def test_the_young_are_left_out_where_a_bound_is_set(age: float, young: bool) -> None:
    seen = replace(_seen(), medians={**_seen().medians, "age_years": age})
    decision = decide(seen, RULES.model_copy(update={"min_age": 18}))
    assert (decision.reason == "FACE_YOUNG") is young
    assert decide(seen, RULES) == KEPT, "null switches it off"


CHEAP = RULES.model_copy(update={"prescreen_size": 64, "prescreen_above": 0.2})


@pytest.mark.parametrize(("score", "looks"), [(0.19, 0), (0.2, 1), (None, 0)])
def test_a_file_with_nothing_like_a_face_in_a_cheap_look_gets_no_other(
    tmp_path: Path, score: float | None, looks: int
) -> None:
    pack = FakePack(lambda image: [face(10, 12, 60)])
    pack.glimpses = lambda image: [face(0, 0, 20, score)] if score else []
    row = look(pack, SampleTask("ab" * 8, _photo(tmp_path), "image", 1, 96, 96, CHEAP))
    assert len(pack.shown) == row["frames_examined"] == looks
    assert pack.glimpsed == [((96, 96, 3), 64)]
    assert row["prescreen"] == (score or 0)
    if not looks:
        assert (row["reason"], row["reason_value"]) == ("FACE_NONE", score or 0)
        assert row["reason_threshold"] == 0.2 and "a look at 64 pixels" in row["message"]
        assert row["detection_score"] is row["most_faces"] is row["other_face"] is None
    else:
        assert row["status"] == "kept"


def test_of_a_clip_the_cheap_look_sees_three_frames_and_the_best_counts(tmp_path: Path) -> None:
    scores = iter([0.1, 0.4, 0.0])
    pack = FakePack(lambda image: [face(10, 12, 60)])
    pack.glimpses = lambda image: [face(0, 0, 20, next(scores))]
    task = SampleTask("ab" * 8, _clip(tmp_path, _noise(9)).path, "clip", 9, 96, 96, CHEAP)
    row = look(pack, task)
    assert (row["prescreen"], row["status"], len(pack.shown)) == (0.4, "kept", 9)
    assert len(pack.glimpsed) == 3


def test_a_record_of_a_cheap_look_serves_while_its_score_is_too_low(tmp_path: Path) -> None:
    """And one of a full look gives the row of a cheap one where the bound has risen."""
    pack = FakePack(lambda image: [face(10, 12, 60)])
    pack.glimpses = lambda image: [face(0, 0, 20, 0.3)]
    tasks = {
        bound: SampleTask(
            "ab" * 8,
            _photo(tmp_path),
            "image",
            1,
            96,
            96,
            CHEAP.model_copy(update={"prescreen_above": bound}),
        )
        for bound in (0.2, 0.4)
    }
    full, cheap = (json.loads(json.dumps(measure(pack, tasks[bound]))) for bound in (0.2, 0.4))
    assert serves(full, tasks[0.2].rules) and serves(full, tasks[0.4].rules)
    assert serves(cheap, tasks[0.4].rules) and not serves(cheap, tasks[0.2].rules)
    assert row_of(tasks[0.4], full) == row_of(tasks[0.4], cheap) == look(pack, tasks[0.4])
    assert row_of(tasks[0.2], full) == look(pack, tasks[0.2])


def test_somebody_too_young_or_of_unknown_age_is_rejected_where_a_bound_is_set() -> None:
    strict = RULES.model_copy(update={"min_age": 18})
    for age, value in ((17.9, 17.9), (float("nan"), None)):
        decision = decide(_aged(age), strict)
        assert (decision.reason, decision.reason_value) == ("FACE_YOUNG", value)
        assert decision.reason_threshold == 18
        assert decide(_aged(age), RULES) == KEPT, "null switches it off"
    assert decide(_aged(18.0), strict) == KEPT


def _aged(age: float) -> FaceMeasurements:
    seen = _seen()
    return replace(seen, medians={**seen.medians, "age_years": age})


def test_age_and_gender_are_medians_over_the_frames_of_a_clip(tmp_path: Path) -> None:
    ages = iter([10.0, 40.0, 30.0])

    class Ages:
        digest = "1" * 64

        def of(self, image: np.ndarray, face: object) -> tuple[float, float]:
            age = next(ages)
            return age, age / 100

    pack = FakePack(lambda image: [face(10, 12, 60)])
    task = SampleTask("ab" * 8, _clip(tmp_path, _noise(3)).path, "clip", 3, 96, 96, RULES)
    row = look(pack, task)
    assert row["age_years"] is row["gender_p_female"] is None
    pack.attributes = Ages()
    row = look(pack, task)
    assert (row["age_years"], row["gender_p_female"]) == (30.0, pytest.approx(0.3))


@pytest.mark.parametrize(
    "change", [{"found": 6}, {"many_share": 0.2}, {"face_size": 40.0}, {"sharpness": 10.0}]
)
def test_a_value_at_its_threshold_passes(change: dict) -> None:
    assert decide(_seen(**change), RULES) == KEPT


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
    assert decided(examined, RULES) == KEPT
    assert len(examined.tracks) == 17
    assert examined.frames == [0, 4, 8, 12, 16]
    assert examined.embeddings.shape == (5, 4)
    np.testing.assert_allclose(np.linalg.norm(examined.embeddings, axis=1), 1, rtol=1e-6)


def test_a_long_clip_is_read_in_portions_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.faces import pictures as module

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
    rules = RULES.model_copy(update={"frames_examined": 4})
    examined = examine(pack, _clip(tmp_path, _noise(17)), rules)
    assert [frame for frame, _, _ in examined.tracks] == [0, 5, 10, 16]
    assert len(pack.shown) == 4


def test_a_second_person_in_a_clip_is_seen(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(2, 12, 42), face(50, 12, 44)])
    assert decided(examine(pack, _clip(tmp_path, _noise(9)), RULES), RULES).reason == "FACE_MANY"
    two = RULES.model_copy(update={"max_faces": 2})
    assert decided(examine(pack, _clip(tmp_path, _noise(9)), two), two) == KEPT


def _task(path: Path, media: str = "image") -> SampleTask:
    return SampleTask("ab" * 8, path, media, 1, 96, 96, RULES)


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


class _DetectorError(Exception):
    """Stands for an exception that belongs to a library of ours alone."""


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[ONNXRuntimeError] : 6"), _DetectorError("a\nb"), None]
)
def test_whatever_a_library_raises_on_one_file_is_a_row(
    tmp_path: Path, error: Exception | None
) -> None:
    import cv2

    def fails(image: np.ndarray) -> list:
        if error is None:
            cv2.resize(image, (0, 0))
        raise error

    row = look(FakePack(fails), _task(_photo(tmp_path)))
    assert (row["status"], row["reason"]) == ("failed", "SYS_WORKER_CRASH")
    assert row["message"] and "\n" not in row["message"]
    row = look(FakePack(lambda image: [face(10, 12, 60)], fails), _task(_photo(tmp_path)))
    assert (row["status"], row["reason"]) == ("failed", "SYS_WORKER_CRASH")


def test_a_bystander_rejects_neither_picture_nor_clip_and_is_told(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(10, 12, 70, 0.8), face(85, 4, 9, 0.9)])
    row = look(pack, _task(_photo(tmp_path)))
    assert (row["status"], row["most_faces"], row["bystanders"]) == ("kept", 1, 1)
    assert row["other_face"] == pytest.approx(9 / 70)
    clip = examine(pack, _clip(tmp_path, _noise(9)), RULES)
    assert decided(clip, RULES) == KEPT
    assert (clip.numbers, clip.seen.bystanders) == ([1] * 9, 1)
    assert all(found.short_side == 70 for _, _, found in clip.tracks)


def test_a_passer_by_close_to_the_camera_is_no_bystander(tmp_path: Path) -> None:
    """The clip's own person is the measure, even while somebody is larger."""
    times = iter(range(9))
    small, large = face(2, 2, 12), face(20, 20, 70)

    def sees(image: np.ndarray) -> list:
        if image.shape[0] != 96:  # with a border, nobody more is found
            return []
        return [small, large] if next(times) in (3, 4, 5) else [small]

    rules = RULES.model_copy(update={"min_face": 5})
    examined = examine(FakePack(sees), _clip(tmp_path, _noise(9)), rules)
    assert decided(examined, rules).reason == "FACE_MANY"
    assert all(found.short_side == 12 for _, _, found in examined.tracks)


@pytest.mark.parametrize("change", [{"min_face": 99}, {"min_sharpness": 1e9}, {"max_faces": 1}])
def test_what_was_measured_is_told_of_rejected_files_too(tmp_path: Path, change: dict) -> None:
    pack = FakePack(lambda image: [face(2, 12, 42, 0.75), face(50, 12, 44, 0.8)])
    rules = RULES.model_copy(update={"max_faces": 2} | change)
    row = look(pack, SampleTask("ab" * 8, _photo(tmp_path), "image", 1, 96, 96, rules))
    assert row["status"] == "rejected"
    assert (row["found_share"], row["face_size"], row["most_faces"]) == (1, 44, 2)
    assert row["many_share"] == (1 if change == {"max_faces": 1} else 0)
    assert row["sharpness"] > 0
    assert row["detection_score"] == 0.8
    assert row["other_face"] == pytest.approx(42 / 44)


def test_a_score_just_missed_is_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    row = look(FakePack(lambda image: [face(10, 12, 60, 0.48)]), _task(_photo(tmp_path)))
    assert (row["reason"], row["reason_value"], row["reason_threshold"]) == ("FACE_NONE", 0.48, 0.5)
    assert row["detection_score"] == 0.48
    assert row["face_size"] is row["many_share"] is row["padded_share"] is None
    row = look(FakePack(lambda image: []), _task(_photo(tmp_path)))
    assert (row["reason"], row["reason_value"], row["detection_score"]) == ("FACE_NONE", None, None)


def test_the_length_of_the_embedding_is_told_of_what_is_kept(tmp_path: Path) -> None:
    pack = FakePack(lambda image: [face(10, 12, 60)], lambda image: np.full(4, 3, np.float32))
    assert look(pack, _task(_photo(tmp_path)))["embedding_norm"] == pytest.approx(6)


def test_what_is_seen_hangs_on_the_rules_of_looking_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules without any other field serve, up to the decision."""
    looking = SimpleNamespace(**{name: getattr(RULES, name) for name in LOOKING})
    whole = examine(FakePack(lambda image: [face(10, 12, 60)]), _clip(tmp_path, _noise(9)), RULES)
    monkeypatch.setattr("mm_model.faces.examine.decided", lambda found, rules: KEPT)
    looking.embed_rejected, looking.track_cosine_min = False, RULES.track_cosine_min
    alone = examine(FakePack(lambda image: [face(10, 12, 60)]), _clip(tmp_path, _noise(9)), looking)
    assert repr(alone.seen) == repr(whole.seen)
    assert alone.numbers == whole.numbers


def test_a_record_of_other_bounds_gives_the_row_of_a_look_or_does_not_serve(
    tmp_path: Path,
) -> None:
    """A cosine that was measured under another bound is told where a look would measure it."""
    pack = FakePack(lambda image: [face(10, 12, 60)])
    pack.tells = lambda image: image.mean((0, 1)).astype(np.float32)
    task = SampleTask("ab" * 8, _clip(tmp_path, _noise(9)).path, "clip", 9, 96, 96, RULES)
    tasks = [
        replace(task, rules=RULES.model_copy(update={"min_face": least, "embed_rejected": all_}))
        for least in (40, 99)
        for all_ in (True, False)
    ]
    rows = [look(pack, one) for one in tasks]
    assert [row["track_cosine"] is None for row in rows] == [False, False, False, True]
    records = [json.loads(json.dumps(measure(pack, one))) for one in tasks]
    for one, row in zip(tasks, rows, strict=True):
        serving = [record for record in records if serves(record, one.rules)]
        assert len(serving) == (4 if row["track_cosine"] is None else 3)
        assert all(row_of(one, record) == row for record in serving)
