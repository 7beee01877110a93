"""Goals: shares of people worked out by hand, floors that decide, and values that are missing."""

from typing import Any

import pytest

from mm_model.metrics import goals

pytestmark = pytest.mark.capability("metrics and controls", scale="T")


def _study(**change: dict[str, Any]) -> dict[str, Any]:
    """Two variants that pass all; `change` gives means of `finetune`."""
    means = {
        "face_found_rate": 1.0,
        "eyes_present": 1.0,
        "copy_paste_gap": 0.0,
        "pixel_gap": 0.0,
        "obeyed": 0.6,
        "forwards": 0.5,
        "faces_per_frame": 1.0,
    }
    names = ("translation", "turn", "expression", "trembling", "one_person", "deformation")
    moved = {name: [1.0, 1.0] for name in names} | {"pixel_gap": [0.0, 0.0]}
    ours = means | change.get("means", {})
    variants = {"base": means, "finetune": ours, "true_clip": means | change.get("true", {})}
    return {
        "variants": {v: {n: {"value": x} for n, x in m.items()} for v, m in variants.items()},
        "per_person": {
            "finetune": moved | change.get("moved", {}),
            "true_clip": moved | change.get("true_moved", {}),
        },
    }


def _judged(**change: dict[str, Any]) -> dict[str, dict]:
    return {one["name"]: one for one in goals.judge(_study(**change))}


def test_a_clip_like_the_true_one_passes_all() -> None:
    found = _judged()
    assert all(one["passed"] for one in found.values())
    assert goals.refused(list(found.values())) == []


def test_the_floors_alone_decide() -> None:
    deciding = {name for name, one in _judged().items() if one["decides"]}
    assert deciding == {
        "face_found_floor",
        "translation_floor",
        "alive_floor",
        "forwards_floor",
        "copy_paste_gap",
        "pixel_gap",
        "pixel_gap_by_person",
        "one_person_floor",
        "faces_in_frame",
    }


def test_motion_is_judged_person_by_person_and_not_by_the_mean() -> None:
    """Two smeared clips of four carry the mean; two people at rest are still at rest."""
    smeared = {"translation": [2.0, 2.0, 0.0, 0.0]}
    true = {"translation": [1.0, 1.0, 1.0, 1.0]}
    found = _judged(moved=smeared, true_moved=true)
    assert found["translation_floor"]["value"] == 0.5
    assert found["translation_alike"]["passed"] is False


def test_motion_of_three_times_the_true_clip_s_or_a_third_is_not_alike() -> None:
    found = _judged(
        moved={"translation": [3.0, 0.3, 2.4, 0.5]}, true_moved={"translation": [1.0] * 4}
    )
    assert found["translation_floor"]["value"] == 0.5


def test_what_is_obeyed_is_the_judged_variant_s_own() -> None:
    found = _judged(means={"obeyed": 0.2})["obeyed_over_true"]
    assert (found["value"], found["passed"]) == (pytest.approx(1 / 3), False)


def test_whoever_has_no_figure_is_not_alike_and_whoever_has_no_true_clip_is_not_counted() -> None:
    ours = {"translation": [1.0, None, 1.0, 9.0]}
    found = _judged(moved=ours, true_moved={"translation": [1.0, 1.0, None, 0.0]})
    assert found["translation_floor"]["value"] == 0.5


def test_trembling_less_than_the_true_clip_is_steady() -> None:
    assert _judged(moved={"trembling": [0.0, 1.6]})["steady"]["value"] == 0.5


def test_a_clip_that_runs_backwards_misses_a_floor() -> None:
    found = _judged(means={"forwards": -0.9})
    assert goals.refused(list(found.values())) == ["forwards_floor"]


@pytest.mark.parametrize("true", [0.4, None])
def test_forwards_is_not_asked_for_where_the_true_clips_do_not_tell(true: float | None) -> None:
    floor = _judged(true={"forwards": true}, means={"forwards": -1.0})["forwards_floor"]
    assert (floor["value"], floor["passed"]) == (None, None)


def test_a_missing_value_is_no_verdict() -> None:
    judged = goals.judge({"variants": {}, "per_person": {}})
    assert {(one["value"], one["passed"], one["applies"]) for one in judged} == {
        (None, None, False)
    }
    assert goals.refused(judged) == []


@pytest.mark.parametrize("goal", ["face_found_floor", "translation_floor", "pixel_gap"])
def test_what_cannot_be_had_is_missed_where_the_true_clips_have_it(goal: str) -> None:
    study = _study(means={"face_found_rate": None, "pixel_gap": None})
    study["per_person"]["finetune"].pop("translation")
    study["variants"]["true_clip"]["translation"] = {"value": 1.0}
    assert goal in goals.refused(goals.judge(study))
    del study["variants"]["true_clip"]
    study["per_person"].pop("true_clip")
    assert goal not in goals.refused(goals.judge(study))


def test_copies_that_cancel_in_the_mean_are_seen_person_by_person() -> None:
    assert goals.refused(goals.judge(_study(moved={"pixel_gap": [0.5, -0.5]}))) == [
        "pixel_gap_by_person"
    ]


def test_a_face_that_never_changes_is_not_alive() -> None:
    assert goals.refused(goals.judge(_study(moved={"deformation": [0.1, 0.2]}))) == ["alive_floor"]


def test_two_faces_in_a_frame_miss_a_floor() -> None:
    assert goals.refused(goals.judge(_study(means={"faces_per_frame": 1.8}))) == ["faces_in_frame"]


def test_another_variant_can_be_judged() -> None:
    study = _study(means={"face_found_rate": 0.1})
    assert goals.refused(goals.judge(study)) == ["face_found_floor"]
    study["variants"]["pretrain"] = study["variants"]["base"]
    study["per_person"]["pretrain"] = study["per_person"]["true_clip"]
    assert goals.refused(goals.judge(study, "pretrain")) == []
