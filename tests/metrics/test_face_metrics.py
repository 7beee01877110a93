"""Golden values of the face metrics, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.metrics import identity, motion, steadiness
from mm_model.metrics.intervals import mean_interval, paired_interval

pytestmark = pytest.mark.capability("metrics and controls", scale="T")

A, B = np.array([1.0, 0.0]), np.array([0.0, 1.0])
HALF = (A + B) / np.sqrt(2)
NONE = np.full(2, np.nan)
BOX = np.array([0.0, 0.0, 10.0, 20.0])
MARKS = np.array([[2.0, 4.0], [8.0, 4.0], [5.0, 10.0], [3.0, 16.0], [7.0, 16.0]])


def test_identity_is_the_mean_over_frames_and_references() -> None:
    assert identity.identity_similarity(np.stack([A, HALF]), np.stack([A, B])) == pytest.approx(
        (1 + 0 + 2 * np.sqrt(0.5)) / 4
    )


@given(st.lists(st.floats(1e-3, 1e3), min_size=8, max_size=8), st.integers(0, 2**16))
def test_only_the_direction_of_an_embedding_counts(lengths: list[float], seed: int) -> None:
    """A judge may hand over its embeddings as long as they are."""
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(8, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    longer = vectors * np.array(lengths)[:, None]

    def said(rows: np.ndarray) -> list:
        faces, shown, withheld, everybody = rows[:3], rows[3:4], rows[4:6], rows[5:]
        probe = identity.centroid(faces)
        return [
            identity.identity_similarity(faces, withheld),
            identity.penalised_similarity(np.vstack([faces, np.full((1, 6), np.nan)]), withheld),
            identity.copy_paste_gap(faces, shown=shown, withheld=withheld),
            *(identity.recognised(probe, everybody, own) for own in range(3)),
        ]

    assert said(longer) == pytest.approx(said(vectors))


def test_an_embedding_of_zeros_is_no_face() -> None:
    faces = np.stack([A, 0 * A])
    assert identity.identity_similarity(faces, A[None]) == 1.0
    assert identity.face_found_rate(faces) == 0.5


def test_a_picture_without_an_embedding_is_left_out() -> None:
    pictures = np.stack([A, NONE])
    for of in (identity.identity_similarity, identity.penalised_similarity):
        assert of(np.stack([HALF, HALF]), pictures) == pytest.approx(np.sqrt(0.5))
        assert of(np.stack([A]), NONE[None]) is None
    gap = identity.copy_paste_gap(A[None], shown=pictures, withheld=np.stack([NONE, HALF]))
    assert gap == pytest.approx(1 - np.sqrt(0.5))
    assert steadiness.similarities(A[None], pictures) == pytest.approx([1.0])
    assert np.isnan(steadiness.similarities(A[None], NONE[None])).all()


def test_whoever_has_no_embedding_keeps_nobody_from_being_named() -> None:
    assert identity.recognised(A, np.stack([A, B, NONE]), 0)
    assert not identity.recognised(A, np.stack([NONE, B]), 0)
    assert not identity.recognised(A, np.stack([A, NONE]), 0), "nothing was to be chosen from"


def test_frames_without_a_face_score_zero_in_the_penalised_form() -> None:
    faces = np.stack([A, NONE, NONE, A])
    assert identity.identity_similarity(faces, A[None]) == 1.0
    assert identity.penalised_similarity(faces, A[None]) == 0.5
    assert identity.face_found_rate(faces) == 0.5


def test_a_clip_without_any_face_has_no_similarity_but_the_worst_penalised_one() -> None:
    faces = np.stack([NONE, NONE])
    assert identity.identity_similarity(faces, A[None]) is None
    assert identity.penalised_similarity(faces, A[None]) == 0.0


def test_fm_ref_of_the_reference_itself_is_zero() -> None:
    value = motion.fm_ref(MARKS[None], BOX[None], MARKS[None], BOX[None])
    assert value == 0.0


def test_fm_ref_ignores_position_and_size_of_the_face() -> None:
    moved, box = MARKS * 3 + 50, BOX * 3 + 50
    assert motion.fm_ref(moved[None], box[None], MARKS[None], BOX[None]) == pytest.approx(0)


def test_fm_ref_sums_the_five_distances_in_box_units() -> None:
    shifted = MARKS + np.array([1.0, 0.0])
    value = motion.fm_ref(shifted[None], BOX[None], MARKS[None], BOX[None])
    assert value == pytest.approx(5 * 0.1)


def _walk(steps: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = np.cumsum([0.0, *steps])
    marks = np.stack([MARKS + np.array([x, 0]) for x in places])
    boxes = np.stack([BOX + np.array([x, 0, x, 0]) for x in places])
    return marks, boxes, np.repeat(A[None], len(places), axis=0)


def test_fm_inter_is_the_largest_step_over_the_frame() -> None:
    marks, boxes, faces = _walk([1.0, 4.0, 2.0])
    assert motion.fm_inter(marks, boxes, faces, (50, 100)) == pytest.approx(5 * 0.04)


def test_fm_inter_does_not_bridge_a_frame_without_a_face() -> None:
    marks, boxes, faces = _walk([1.0, 4.0, 1.0])
    boxes[2] = np.nan
    assert motion.fm_inter(marks, boxes, faces, (50, 100)) == pytest.approx(5 * 0.01)


def test_fm_inter_leaves_a_switch_of_face_out() -> None:
    marks, boxes, faces = _walk([1.0, 60.0, 1.0])
    faces[2:] = B
    assert motion.fm_inter(marks, boxes, faces, (50, 100)) == pytest.approx(5 * 0.01)
    same = np.repeat(A[None], 4, axis=0)
    assert motion.fm_inter(marks, boxes, same, (50, 100)) == pytest.approx(5 * 0.6)


def test_one_frame_has_no_motion_between_frames() -> None:
    assert motion.fm_inter(MARKS[None], BOX[None], A[None], (50, 100)) is None


def test_an_interval_holds_its_mean_and_leans_where_the_values_are_skewed() -> None:
    values = [0.1, 0.5, 0.3, 0.9, 0.2]
    first = mean_interval(values)
    assert first["value"] == pytest.approx(0.4)
    assert first["high"] - 0.4 > 0.4 - first["low"] > 0
    even = mean_interval([1.0, 2.0, 3.0, 4.0])  # Student: 2.5 +- 3.1824 * 1.29099 / 2
    assert (even["low"], even["high"]) == pytest.approx((0.44573, 4.55427), abs=1e-4)
    assert mean_interval([*values, float("nan")]) == first


def test_an_interval_ends_where_the_figure_does() -> None:
    shares = [1.0, 1.0, 0.9, 1.0, 1.0]
    free = mean_interval(shares)
    assert free["high"] > 1 > free["low"]
    cut = mean_interval(shares, within=(0, 1))
    assert (cut["low"], cut["high"]) == (free["low"], 1)
    turned = mean_interval([1 - one for one in shares], within=(0, 1))
    assert turned["low"] == 0
    assert mean_interval([0.4], within=(0, 1))["low"] is None


def test_missing_people_are_left_out_and_never_zero() -> None:
    assert mean_interval([0.4, None]) == {
        "value": 0.4,
        "low": None,
        "high": None,
        "people": 1,
    }
    assert mean_interval([None])["value"] is None
    assert mean_interval([0.4, 0.5, 0.6])["low"] is None, "three people give no interval"


def test_a_constant_paired_gain_has_an_interval_of_no_width() -> None:
    gain = paired_interval([0.5, 0.7, 0.2, 0.3], [0.3, 0.5, 0.0, 0.1])
    assert gain["low"] == pytest.approx(0.2) and gain["high"] == pytest.approx(0.2)
