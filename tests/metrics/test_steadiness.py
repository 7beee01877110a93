"""Golden values of the metrics that say whether it stays one person, worked out by hand."""

import numpy as np
import pytest

from mm_model.metrics import steadiness
from mm_model.metrics.table import columns

pytestmark = pytest.mark.capability("metrics and controls", scale="T")

GAP = np.nan


@pytest.mark.parametrize(
    ("values", "endpoint", "ols", "step"),
    [
        ([0.9, 0.8, 0.7, 0.6], 0.3, 0.3, 0.1),
        ([0.9, 0.7, 0.8, 0.6], 0.3, 0.24, 0.1),
        ([0.9, GAP, 0.7, 0.8], 0.1, 0.1285714, 0.1 / 3),
        ([0.5, 0.6], -0.1, -0.1, -0.1),
    ],
)
def test_decay_is_what_is_lost_over_the_clip(
    values: list[float], endpoint: float, ols: float, step: float
) -> None:
    found = steadiness.decay(np.array(values))
    assert found is not None
    assert (found.endpoint, found.ols, found.step) == pytest.approx((endpoint, ols, step), abs=1e-6)
    back = steadiness.decay(np.array(values[::-1]))
    assert back is not None
    assert (back.endpoint, back.ols) == pytest.approx((-endpoint, -ols), abs=1e-6)


def test_one_frame_with_a_face_has_no_decay() -> None:
    assert steadiness.decay(np.array([GAP, 0.7, GAP])) is None
    one = steadiness.similarities(np.eye(2), np.empty((0, 2)))
    assert steadiness.decay(one) is None


def _at(*degrees: float) -> np.ndarray:
    turn = np.radians(degrees)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def test_a_step_is_a_switch_beyond_what_the_person_s_own_pictures_differ() -> None:
    pictures = _at(0, 20, 40)
    assert steadiness.switches(_at(0, 30, 10), pictures) == 0
    assert steadiness.switches(_at(0, 90, 95, 5), pictures) == pytest.approx(2 / 3)


def test_a_frame_without_a_face_is_no_step() -> None:
    faces = _at(0, 0, 90, 90)
    faces[1] = GAP
    assert steadiness.switches(faces, _at(0, 20)) == 0
    faces[2] = GAP
    assert steadiness.switches(faces, _at(0, 20)) is None


def test_a_person_of_one_picture_has_no_switches() -> None:
    """Also where the shown picture is the one that is judged on."""
    assert steadiness.switches(_at(0, 90), _at(10, 10)) is None
    assert steadiness.switches(_at(0, 90), np.full((2, 2), GAP)) is None


def test_faces_are_counted_in_every_frame() -> None:
    assert steadiness.faces_per_frame(np.array([1, 2, 0, 1])) == 1.0
    assert steadiness.faces_per_frame(np.array([])) is None


def test_they_stand_in_the_table() -> None:
    names = {column.name for column in columns()}
    assert {"similarity_decay", "person_switches", "faces_per_frame"} <= names
