"""Renders one person in one shot and one pose, with the truth about the face.

Albedo is drawn at two to three times the size and shrunk; light is applied afterwards at the
picture's own size. Deterministic: the same arguments give the same bits. Refuses sizes below 32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from mm_model.embedded.people.action import Pose
from mm_model.embedded.people.appearance import appearance
from mm_model.embedded.people.backdrop import backdrop
from mm_model.embedded.people.brush import Canvas
from mm_model.embedded.people.head import Projection, head, rotation
from mm_model.embedded.people.paint_body import paint_body
from mm_model.embedded.people.paint_face import (
    landmarks,
    paint_brow,
    paint_eye,
    paint_mouth,
    paint_nose,
    paint_skull,
)
from mm_model.embedded.people.paint_hair import paint_back_hair, paint_hair
from mm_model.embedded.people.paint_marks import paint_marks
from mm_model.embedded.people.paint_trim import paint_beard, paint_glasses
from mm_model.embedded.people.people import Person
from mm_model.embedded.people.shot import ShotSetup
from mm_model.embedded.people.sitting import Sitting

SMALLEST = 32
_FACE_TOP = -0.80  # head units: the forehead where a detector's box begins
_NOISE_STREAM = 0x6E
_NOISE_ROOM = 251


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and what is true about it.

    image: uint8 [S, S, 3] RGB. landmarks: float32 [5, 2] pixels (image-left eye, image-right eye,
    nose tip, image-left mouth corner, image-right mouth corner). box: float32 [4] x1, y1, x2, y2
    pixels, forehead to chin. visible: the face lies in the picture and both eyes can be seen.
    """

    image: np.ndarray
    landmarks: np.ndarray
    box: np.ndarray
    pose: Pose
    visible: bool


def render(
    person: Person,
    shot: ShotSetup,
    pose: Pose,
    size: int,
    *,
    moment: int = 0,
    behind: np.ndarray | None = None,
) -> Frame:
    """Draw ``person``; ``moment`` varies the camera's noise between frames of one shot.

    ``behind`` (uint8 [h, w, 3]) replaces the shot's background, for two people in one picture.
    Raises ``ValueError`` for a size below 32 pixels.
    """
    if size < SMALLEST:
        raise ValueError(f"a picture is at least {SMALLEST} pixels wide, not {size}")
    side = size * (3 if size <= 80 else 2)
    canvas = Canvas(backdrop(shot) if behind is None else behind, side, size)
    s = _sit(person, shot, pose, canvas)
    _paint(s)
    small, relief = canvas.finish(0.05 * s.unit)
    zoom = size / side
    lit = _light(s, small, relief, zoom, shaded_background=behind is None)
    image = _camera(lit, shot, size, moment)
    points = (landmarks(s) * zoom).astype(np.float32)
    box = (_box(s) * zoom).astype(np.float32)
    return Frame(image, points, box, pose, _visible(pose, box, points, size))


def _sit(person: Person, shot: ShotSetup, pose: Pose, canvas: Canvas) -> Sitting:
    rest = appearance(person)
    drop = 0.22 * pose.mouth_open * rest.chin / 1.4  # the jaw follows the mouth
    k = replace(rest, chin=rest.chin + drop) if drop > 0.01 else rest
    unit = canvas.side * shot.face_height * pose.scale / (rest.chin - _FACE_TOP)
    middle = (rest.chin + _FACE_TOP) / 2
    centre = np.array([0.5 + shot.offset[0] + pose.x, 0.52 + shot.offset[1] + pose.y]) * canvas.side
    origin = centre + np.array([0.0, 0.45 - middle]) * unit
    return Sitting(
        person,
        shot,
        pose,
        look=k,
        head=head(k),
        view=Projection(rotation(pose), origin, unit),
        canvas=canvas,
    )


def _paint(s: Sitting) -> None:
    paint_back_hair(s)
    paint_body(s)
    paint_skull(s)
    paint_hair(s)
    paint_marks(s)
    paint_beard(s)
    for side in (-1, 1):
        paint_eye(s, side)
        paint_brow(s, side)
    paint_mouth(s)
    paint_nose(s)
    paint_glasses(s)


def _light(
    s: Sitting, small: np.ndarray, relief: np.ndarray, zoom: float, shaded_background: bool
) -> np.ndarray:
    """Shade the head as an ellipsoid, tint everything; float32 [S, S, 3]."""
    k, shot, size = s.look, s.shot, small.shape[0]
    middle = s.view.project(np.array([[0.0, (k.chin + k.crown) / 2 * 0.4, 0.0]]))[0] * zoom
    cx, cy = (float(v) for v in middle)  # plain floats keep the arithmetic in float32
    rx, ry = 1.22 * k.width * s.unit * zoom, 0.60 * (k.chin - k.crown) * s.unit * zoom
    grid = np.arange(size, dtype=np.float32) + 0.5
    nx = np.clip((grid - cx) / rx, -1, 1)[None]
    ny = np.clip((grid - cy) / ry, -1, 1)[:, None]
    nz = np.sqrt(np.maximum(0.0, 1 - nx * nx - ny * ny))
    lx, ly, lz = shot.light
    lambert = np.maximum(0.0, nx * lx + ny * ly + nz * lz)
    shade = 1 + shot.contrast * 0.85 * (lambert - 0.5 * (1 + lz) * 0.93)
    shade *= 0.84 + 0.16 * nz
    on_head = small[..., 3].astype(np.float32) * np.float32(1 / 255)
    gain = (1 + on_head * (shade - 1)) * relief
    out = small[..., :3].astype(np.float32)
    gloss = np.float32(22 * shot.contrast) * on_head * _eighth(lambert)
    out = out * gain[..., None] + gloss[..., None]
    if shaded_background:
        out *= np.asarray(shot.tint, np.float32) * np.float32(shot.exposure)
    return out


def _eighth(x: np.ndarray) -> np.ndarray:
    x = x * x
    x = x * x
    return x * x


def _camera(lit: np.ndarray, shot: ShotSetup, size: int, moment: int) -> np.ndarray:
    if shot.softness * size > 0.15:
        lit = cv2.GaussianBlur(lit, (0, 0), shot.softness * size)
    if shot.noise > 0:
        lit = lit + _noise(size, shot.noise_seed + 7919 * moment) * np.float32(shot.noise)
    return np.clip(lit + np.float32(0.5), 0, 255).astype(np.uint8)


def _noise(size: int, seed: int) -> np.ndarray:
    """A [S, S, 3] window of the bank of noise; drawing fresh noise costs more than the face."""
    bank = _noise_bank(size + _NOISE_ROOM)
    top, left = (seed * 2654435761 >> 7) % _NOISE_ROOM, (seed * 40503 >> 3) % _NOISE_ROOM
    return bank[top : top + size, left : left + size]


@lru_cache(maxsize=2)
def _noise_bank(side: int) -> np.ndarray:
    rng = np.random.default_rng([_NOISE_STREAM, side])
    return rng.standard_normal((side, side, 3), dtype=np.float32)


def _box(s: Sitting) -> np.ndarray:
    k = s.look
    y = np.linspace(_FACE_TOP, k.chin, 9)
    angle = np.radians([-78, -55, -30, 0, 30, 55, 78])
    grid_a, grid_y = np.meshgrid(angle, y)
    points = s.around(grid_a.ravel(), grid_y.ravel())
    box = np.concatenate([points.min(0), points.max(0)])
    box[3] += 0.06 * s.unit  # detectors include the shadow line under the chin
    return box


def _visible(pose: Pose, box: np.ndarray, points: np.ndarray, size: int) -> bool:
    inside = bool((points >= 0).all() and (points < size).all())
    shown = np.clip(box, 0, size)
    area = (box[2] - box[0]) * (box[3] - box[1])
    share = (shown[2] - shown[0]) * (shown[3] - shown[1]) / max(float(area), 1e-6)
    return inside and share > 0.8 and abs(pose.yaw) < 60
