"""The head as a surface in three dimensions, and the view that projects it into a picture.

A head is a stack of horizontal sections (width, front depth, back depth by height). Features are
points on that surface, so turning the head foreshortens them. Holds no colours and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin

import numpy as np

from mm_model.embedded.people.action import Pose
from mm_model.embedded.people.appearance import Appearance

PIVOT = np.array([0.0, 0.45, -0.25])  # where head meets neck: nods and turns are about it
CAMERA_DISTANCE = 9.0  # head units; a mild perspective
FACE_FRONT_EXPONENT = 0.42  # flatter than an ellipsoid's 0.5


def spline(points: np.ndarray, per_segment: int, closed: bool = False) -> np.ndarray:
    """Catmull-Rom curve through ``points`` [N, D]; returns [M, D]."""
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([points[:1], points, points[-1:]])
    weights = _spline_weights(per_segment)  # [T, 4]
    neighbours = np.stack([p[:-3], p[1:-2], p[2:-1], p[3:]], axis=1)  # [N, 4, D]
    curve = (weights @ neighbours).reshape(-1, points.shape[1])
    return curve if closed else np.concatenate([curve, points[-1:]])


@lru_cache(maxsize=8)
def _spline_weights(per_segment: int) -> np.ndarray:
    t = np.arange(per_segment)[:, None] / per_segment
    powers = t ** np.arange(4)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return powers @ basis


@dataclass(frozen=True, eq=False)
class Head:
    """Sections of one head: heights ``y`` [R], half widths, front and back depths at them."""

    y: np.ndarray
    half_width: np.ndarray
    front: np.ndarray
    back: np.ndarray

    def on(self, x: np.ndarray, y: np.ndarray | float, out: float | np.ndarray = 0.0) -> np.ndarray:
        """Points [N, 3] on the front of the head at ``x`` [N], ``y`` [N] or one height, lifted by
        ``out`` towards the viewer."""
        points = np.empty((len(x), 3))
        points[:, 0], points[:, 1] = x, y
        y = points[:, 1]
        w = np.interp(y, self.y, self.half_width)
        inside = np.maximum(1 - (x / np.maximum(w, 1e-3)) ** 2, 0)
        points[:, 2] = np.interp(y, self.y, self.front) * inside**FACE_FRONT_EXPONENT + out
        return points

    def around(
        self, angle: np.ndarray, y: np.ndarray, swell: float | np.ndarray = 1.0
    ) -> np.ndarray:
        """Points [N, 3] at azimuth ``angle`` (radians, 0 front, + to the image's right)."""
        c = np.cos(angle)
        points = np.empty((len(c), 3))
        points[:, 1] = y
        y = points[:, 1]
        points[:, 0] = np.interp(y, self.y, self.half_width) * swell * np.sin(angle)
        front = np.interp(y, self.y, self.front) * np.abs(c) ** (2 * FACE_FRONT_EXPONENT)
        back = np.interp(y, self.y, self.back) * c
        points[:, 2] = np.where(c > 0, front, back) * swell
        return points


@lru_cache(maxsize=1024)
def head(k: Appearance) -> Head:
    """The surface of a person's head."""
    w, chin, crown = k.width, k.chin, k.crown
    jaw_y, low_y = chin * 0.66, chin * 0.90
    jaw = w * k.jaw
    low = min(k.chin_width + 0.12, jaw * 0.85)
    profile = np.array(
        [
            (0.0, crown),
            (0.42 * w, crown * 0.962),
            (0.74 * w * k.temples**0.5, crown * 0.81),
            (0.94 * w * k.temples**0.7, crown * 0.50),
            (0.99 * w * (1 + k.temples) / 2, crown * 0.2),
            (w, 0.0),
            (w * (0.5 + 0.5 * k.cheeks), chin * 0.22),
            (w * k.cheeks * (0.55 + 0.45 * k.jaw), chin * 0.45),
            (jaw, jaw_y),
            (low + 0.22 * (jaw - low), low_y - 0.08),
            (low * 0.72, chin * 0.965),
            (0.0, chin),
        ]
    )
    rows = spline(profile, 3)
    y = np.maximum.accumulate(rows[:, 1])
    depth = np.array(
        [
            # height, front, back
            (crown, 0.0, 0.0),
            (crown * 0.96, 0.42, 0.50),
            (crown * 0.80, 0.78, 0.92),
            (crown * 0.5, 0.93, 1.12),
            (0.0, 0.93, 1.16),
            (chin * 0.35, 0.97, 1.02),
            (chin * 0.6, 0.98, 0.70),
            (chin * 0.9, 0.92, 0.10),
            (chin, 0.74, -0.2),
        ]
    )
    return Head(
        y=y,
        half_width=np.maximum(rows[:, 0], 0.0),
        front=np.interp(y, depth[:, 0], depth[:, 1]),
        back=np.interp(y, depth[:, 0], depth[:, 2]),
    )


@dataclass(frozen=True, eq=False)
class Projection:
    """Projects head points into a square picture of draw pixels.

    ``rotation`` [3, 3], ``origin`` draw pixels of the pivot, ``unit`` draw pixels per head unit.
    """

    rotation: np.ndarray
    origin: np.ndarray
    unit: float

    def turned(self, points: np.ndarray) -> np.ndarray:
        """Points [N, 3] after the head's rotation, relative to the pivot (z towards the viewer)."""
        return (np.atleast_2d(points) - PIVOT) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Draw pixels [N, 2] of head points [N, 3]."""
        p = (points - PIVOT) @ self.rotation.T
        scale = (self.unit * CAMERA_DISTANCE) / (CAMERA_DISTANCE - p[:, 2:])
        return p[:, :2] * scale + self.origin

    def flat(self, points: np.ndarray) -> np.ndarray:
        """Draw pixels [N, 2] of points [N, 2] of the body, which does not turn with the head."""
        return self.origin + (np.atleast_2d(points) - PIVOT[:2]) * self.unit


def rotation(pose: Pose) -> np.ndarray:
    """Rotation [3, 3] of ``pose``: yaw first, then pitch, then roll."""
    a, b, c = radians(pose.yaw), radians(pose.pitch), radians(pose.roll)
    yaw = np.array([[cos(a), 0, sin(a)], [0, 1, 0], [-sin(a), 0, cos(a)]])
    pitch = np.array([[1, 0, 0], [0, cos(b), sin(b)], [0, -sin(b), cos(b)]])
    roll = np.array([[cos(c), -sin(c), 0], [sin(c), cos(c), 0], [0, 0, 1]])
    return roll @ pitch @ yaw
