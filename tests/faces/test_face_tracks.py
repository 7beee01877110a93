"""The face that is followed, the frames that are looked at, and how sharp it is."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mm_model.decisions.faces import sharpness
from mm_model.faces.track import follow, overlap, spread
from tests.faces.faked import face


def test_the_track_stays_with_its_face_when_a_larger_one_appears() -> None:
    walker = [[face(10 + 4 * i, 20, 40)] for i in range(6)]
    walker[3] = [face(100, 0, 90), *walker[3]]
    chosen = follow(walker)
    assert [round(float(found.box[0])) for found in chosen] == [10, 14, 18, 22, 26, 30]


def test_the_largest_face_is_taken_first_and_after_a_jump() -> None:
    chosen = follow([[face(0, 0, 20), face(50, 50, 40)], [], [face(0, 0, 30), face(5, 0, 20)]])
    assert chosen[0].short_side == 40
    assert chosen[1] is None
    assert chosen[2].short_side == 30


def test_a_gap_does_not_end_the_track() -> None:
    chosen = follow([[face(10, 10, 40)], [], [face(12, 10, 40), face(60, 0, 90)]])
    assert float(chosen[2].box[0]) == 12


def test_overlap_golden_values() -> None:
    unit = np.array([0, 0, 2, 2], np.float32)
    assert overlap(unit, unit) == 1
    np.testing.assert_allclose(overlap(unit, np.array([1, 0, 3, 2])), 1 / 3)
    assert overlap(unit, np.array([2, 0, 4, 2])) == 0


def test_frames_are_spread_by_truncated_linspace() -> None:
    assert spread(78, 16) == [0, 5, 10, 15, 20, 25, 30, 35, 41, 46, 51, 56, 61, 66, 71, 77]
    assert spread(5, 16) == [0, 1, 2, 3, 4]
    assert spread(5, None) == [0, 1, 2, 3, 4]
    assert spread(9, 1) == [0]


@given(st.integers(1, 500), st.integers(1, 60))
def test_spread_is_ascending_without_repeats_and_within(number: int, most: int) -> None:
    indices = spread(number, most)
    assert len(indices) == min(number, most)
    assert all(a < b for a, b in pairwise(indices))
    assert indices[0] == 0
    assert indices[-1] < number


def test_blur_lowers_sharpness_and_a_box_outside_is_nan() -> None:
    import cv2

    rng = np.random.default_rng(1)
    image = cv2.resize(rng.integers(0, 255, (20, 20, 3), np.uint8), (160, 160))
    box = np.array([20.0, 20, 140, 140])
    values = [sharpness(cv2.GaussianBlur(image, (0, 0), s), box) for s in (0.5, 2, 6)]
    assert values[0] > values[1] > values[2] > 0
    assert np.isnan(sharpness(image, np.array([-50.0, -50, -5, -5])))
