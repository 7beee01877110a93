"""Yaw, pitch and roll of five points: drawn heads whose pose is known, and plain geometry."""

from dataclasses import replace

import numpy as np
import pytest

from mm_model.decisions.pose import held
from mm_model.embedded.people.action import Pose
from mm_model.embedded.people.people import person
from mm_model.embedded.people.render import render
from mm_model.embedded.people.shot import ShotSetup

LEVEL = np.array([[40.0, 50.0], [80.0, 50.0], [60.0, 70.0], [45.0, 90.0], [75.0, 90.0]])


def _drawn(**angles: float) -> list[np.ndarray]:
    pose = replace(Pose(), **angles)
    return [render(person(10_000 + k), ShotSetup(), pose, 96).landmarks for k in range(6)]


@pytest.mark.parametrize("angle", ["yaw", "pitch", "roll"])
def test_angles_follow_those_of_drawn_heads(angle: str) -> None:
    ways = (-16.0, -8.0, 0.0, 8.0, 16.0)
    told = np.array([[getattr(held(p), angle) for p in _drawn(**{angle: way})] for way in ways])
    for face in told.T:
        assert (np.diff(face) > 0).all(), "further is more, and the side is told"
    slope = np.polyfit(ways, told.mean(axis=1), 1)[0]
    assert 0.45 < slope < 1.4, "in degrees"


def test_a_level_face_is_level_and_a_turned_picture_rolls_alone() -> None:
    assert np.allclose(held(LEVEL)[:3], 0)
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    many = held(np.stack([LEVEL @ turn.T, LEVEL * 3 + 11]))
    assert np.allclose(many.roll, [20, 0]) and np.allclose([many.yaw, many.pitch], 0, atol=1e-6)


def test_a_missing_landmark_gives_no_angle() -> None:
    points = LEVEL.copy()
    points[2] = np.nan
    assert np.isnan(held(points).yaw)
