"""Paints the face: skin, ears, eyes, brows, nose and mouth.

Every feature is a set of points on the head's surface, projected and filled. Also the one place
that says where the five landmarks are. Marks of age, hair, beard and glasses are painted elsewhere.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from mm_model.embedded.people.brush import ellipse, mix, shade
from mm_model.embedded.people.head import Head, spline
from mm_model.embedded.people.people import EARS_COVERED
from mm_model.embedded.people.sitting import Sitting

_U = np.linspace(-1, 1, 13)
_BOW = (1 - np.abs(_U) ** 2.3) ** 0.8
_TURN = np.linspace(-np.pi, np.pi, 20, endpoint=False)
_LIP_X = np.array([-1.0, -0.55, -0.2, 0.0, 0.2, 0.55, 1.0])
_LIP_UP = np.array([0.0, 0.68, 1.0, 0.8, 1.0, 0.68, 0.0])
_LIP_LOW = np.array([0.0, 0.66, 0.97, 1.0, 0.97, 0.66, 0.0])
_LIP_ARCH = 1 - np.abs(_LIP_X) ** 2.2
_BROW_U = np.linspace(-1.0, 1.25, 12)  # -1 inner end, 1.25 outer end
_HALF = np.linspace(0, np.pi, 9)
_RING = np.linspace(0, 2 * np.pi, 16, endpoint=False)


@lru_cache(maxsize=256)
def _skull_points(surface: Head) -> np.ndarray:
    rows = surface.y[::2]
    return surface.around(np.tile(_TURN, len(rows)), np.repeat(rows, len(_TURN)))


def paint_skull(s: Sitting) -> None:
    """The head's silhouette in skin colour, and the ears that show."""
    hull = cv2.convexHull(s.view.project(_skull_points(s.head)).astype(np.float32))[:, 0]
    ears = () if s.person.hair in EARS_COVERED else (-1, 1)
    for side in ears:
        if side * s.pose.yaw > 8:
            _ear(s, side)
    s.canvas.light(hull, 1.0)  # the neck's shadow ends where the face begins
    s.canvas.fill(hull, s.look.skin)
    for side in ears:
        if side * s.pose.yaw <= 8:
            _ear(s, side)


def _ear(s: Sitting, side: int) -> None:
    k, size = s.look, s.look.ear
    w = float(np.interp(0.15, s.head.y, s.head.half_width))
    ring = np.empty((16, 3))
    cos, sin = np.cos(_RING), np.sin(_RING)
    ring[:, 0] = side * (w + 0.035 + 0.11 * size * cos)
    ring[:, 1] = 0.16 + sin * np.where(sin < 0, 0.30, 0.34 - 0.05 * cos) * size
    ring[:, 2] = -0.12 - 0.17 * size * cos
    points = s.view.project(ring)
    s.canvas.fill(points, shade(k.skin, 0.93))
    middle = points.mean(0)
    inner = middle + (points - middle) * 0.58
    s.canvas.fill(inner, mix(shade(k.skin, 0.76), (150, 60, 50), 0.12))


def landmarks(s: Sitting) -> np.ndarray:
    """Draw pixels [5, 2]: image-left and image-right eye, nose tip, mouth corners left, right."""
    k = s.look
    x, y = _mouth_line(s)
    return s.on(
        np.array([-k.eye_x, k.eye_x, 0.0, x[0] * 0.89, x[-1] * 0.89]),
        np.array([0.0, 0.0, k.nose_y, y[0], y[-1]]),
        np.array([0.0, 0.0, k.nose_out * 0.8, 0.04, 0.04]),
    )


def paint_eye(s: Sitting, side: int) -> None:
    """One eye: socket, white, iris, lids, lashes."""
    k, c, unit = s.look, s.canvas, s.view.unit
    h = k.eye_h * (1 - 0.22 * max(0.0, s.pose.smile)) * (1 + 0.15 * max(0.0, s.pose.brow))
    shut = min(1.0, max(0.0, s.pose.eyes_closed))
    x = side * k.eye_x + _U * k.eye_w
    outer = _U * side
    tilt = k.eye_tilt * outer * k.eye_w
    low = tilt + 0.72 * h * _BOW
    high = (tilt - h * _BOW * (1 + 0.12 * outer)) * (1 - shut) + (low - 0.04 * h) * shut
    upper, lower, lid, bag, crease, socket, below = s.curves(
        (x, high, 0.01),
        (x, low, 0.01),
        (x, np.minimum(high - (0.75 * h + 0.05) * _BOW, tilt - 1.2 * h * _BOW), 0.01),
        (x, low + (0.6 * h + 0.03) * _BOW, 0.01),
        (x, tilt - (1.45 * h + 0.02) * _BOW + 0.5 * h * shut, 0.01),
        (x, tilt - 1.9 * h * _BOW - 0.03, 0.0),
        (x, low + 0.5 * h * _BOW, 0.0),
    )
    c.light(np.concatenate([socket, below[::-1]]), 0.90)
    lash = mix(k.brow, (26, 20, 20), 0.75)
    if shut < 0.85:
        white = (243, 240, 236) if k.age < 0.5 else (234, 228, 220)
        c.fill(np.concatenate([upper, lower[::-1]]), white)
        _iris(s, side, h)
    c.fill(np.concatenate([upper, lid[::-1]]), shade(k.skin, 0.91))
    c.fill(np.concatenate([lower, bag[::-1]]), shade(k.skin, 0.97 - 0.05 * k.age))
    c.line(lower, shade(k.skin, 0.66), 0.014 * unit)
    c.line(upper, lash, (0.032 + 0.026 * k.lash) * unit)
    c.line(crease, shade(k.skin, 0.72), 0.02 * unit)
    if k.lash > 0.4:
        ends = upper[[-2, -1]] if side > 0 else upper[[1, 0]]
        flick = np.stack([ends[0], ends[1] + (ends[1] - ends[0]) * 0.7 - (0, 0.05 * unit)])
        c.line(flick, lash, 0.03 * unit)


def _iris(s: Sitting, side: int, h: float) -> None:
    k, c = s.look, s.canvas
    # The eyes keep looking near the camera while the head turns.
    turn, nod = np.radians(s.pose.yaw), np.radians(s.pose.pitch)
    x = side * k.eye_x - 0.30 * np.sin(turn) * k.eye_w
    at = s.on(np.array([x]), -0.25 * np.sin(nod) * h - 0.05 * h, 0.01)[0]
    r = min(0.50 * k.eye_w, 0.155) * s.view.unit
    squeeze = max(0.6, float(np.cos(turn)))
    c.disc(at, (r * squeeze, r), 0, shade(k.iris, 0.62))
    c.disc(at, (r * 0.80 * squeeze, r * 0.80), 0, shade(k.iris, 1.12))
    c.disc(at, (r * 0.44 * squeeze, r * 0.44), 0, (16, 13, 14))
    glint = at + np.array([np.sign(s.shot.light[0]) * 0.35, -0.38]) * r
    c.disc(glint, (r * 0.24, r * 0.24), 0, (250, 250, 250))


def paint_brow(s: Sitting, side: int) -> None:
    """One eyebrow."""
    k, u = s.look, _BROW_U
    x = side * (k.eye_x + u * k.eye_w * 1.12)
    y = k.brow_y - k.brow_arch * (1 - (u - 0.25) ** 2) + k.brow_slope * u * 0.55
    y = y - 0.13 * s.pose.brow + 0.02 * max(0.0, s.pose.smile)
    thick = k.brow_h * np.clip(1.18 - 0.42 * np.abs(u + 0.35), 0.15, 1.0)
    top, bottom = s.curves((x, y - thick, 0.03), (x, y + thick * 0.8, 0.03))
    s.canvas.fill(np.concatenate([top, bottom[::-1]]), k.brow)


def paint_nose(s: Sitting) -> None:
    """Bridge planes, wings, underside, nostrils and the tip's highlight."""
    k, c, unit = s.look, s.canvas, s.view.unit
    w, y, out = k.nose_w, k.nose_y, k.nose_out
    lit = 1 if s.shot.light[0] >= 0 else -1
    plane_x = np.array([0.07, 0.09, 0.42 * w, 1.0 * w, 0.98 * w, 0.16, 0.15])
    plane_y = np.array([-0.06, 0.35 * y, y - 0.06, y + 0.05, y - 0.06, 0.45 * y, -0.06])
    plane_z = np.array([0.12, 0.5, 0.95, 0.30, 0.18, 0.05, 0.0]) * out
    wing_a = np.linspace(-0.9, 1.3, 7)
    wing_x, wing_y = w * (0.78 + 0.24 * np.cos(wing_a)), y + 0.02 + 0.09 * np.sin(wing_a)
    five = np.array([0.3, 0.7, 0.8, 0.7, 0.3])
    ridge_y, ridge_w = np.linspace(0.1 * y, y - 0.03, 5), np.linspace(0.03, 0.30 * w, 5)
    dark, bright, under, roof, left, right, wing_l, wing_r, holes, tip = s.curves(
        (-lit * plane_x, plane_y, plane_z),
        (lit * plane_x, plane_y, plane_z),
        (
            w * 0.98 * np.cos(_HALF),
            y + 0.045 + 0.075 * np.sin(_HALF),
            out * (0.25 + 0.35 * np.sin(_HALF)),
        ),
        (np.array([-0.95, -0.4, 0.0, 0.4, 0.95]) * w, y + 0.02 + 0.055 * five, out * five),
        (lit * 0.02 - ridge_w, ridge_y, out),
        (lit * 0.02 + ridge_w, ridge_y, out),
        (-wing_x, wing_y, 0.16 * out),
        (wing_x, wing_y, 0.16 * out),
        (np.array([-0.46 * w, 0.46 * w]), y + 0.075, out * 0.5),
        (np.array([lit * 0.03]), y - 0.04, out),
    )
    c.light(dark, 0.80)
    c.light(bright, 0.91)
    c.light(np.concatenate([left, right[::-1]]), 1.12)
    c.fill(np.concatenate([under, roof]), shade(k.skin, 0.70))
    c.line([wing_l, wing_r], shade(k.skin, 0.72), 0.022 * unit)
    for side, hole in zip((-1, 1), holes, strict=True):
        c.disc(hole, (0.23 * w * unit, 0.036 * unit), side * 12, shade(k.skin, 0.30))
    c.fill(ellipse(tip[0], (0.22 * w * unit, 0.045 * unit)), mix(k.skin, (255, 255, 250), 0.32))


def _mouth_line(s: Sitting) -> tuple[np.ndarray, np.ndarray]:
    """x and y [7] of the line where the closed lips meet."""
    k, smile = s.look, s.pose.smile
    half = k.mouth_w * (1 + 0.20 * smile) * (1 - 0.16 * s.pose.mouth_open)
    # Lips at rest curve up a little, or everyone looks sad.
    y = (
        k.mouth_y
        - 0.15 * (smile + 0.22) * (np.abs(_LIP_X) ** 1.7 - 0.45)
        + 0.04 * s.pose.mouth_open
    )
    return _LIP_X * half, y


def paint_mouth(s: Sitting) -> None:
    """Lips, and teeth or the open mouth where they part."""
    k, c, unit = s.look, s.canvas, s.view.unit
    smile = max(0.0, s.pose.smile)
    x, y = _mouth_line(s)
    opening = 0.36 * s.pose.mouth_open + 0.15 * max(0.0, s.pose.smile - 0.35)
    stretch = 1 - 0.25 * smile
    inner_low = y + opening * _LIP_ARCH * (k.chin / 1.4)
    depth = np.minimum(0.11, 0.75 * opening) * _LIP_ARCH
    raw = s.curves(
        (x, y - k.upper_lip * _LIP_UP * stretch, 0.05),
        (x, y, 0.07),
        (x, inner_low, 0.07),
        (x, inner_low + k.lower_lip * _LIP_LOW * stretch, 0.05),
        (x * 0.9, y, 0.06),
        (x * 0.9, y + depth * 0.98, 0.06),
    )
    top, line, inner, bottom, gum, teeth = (spline(r, 3) for r in raw)
    half = k.mouth_w * unit
    c.light(ellipse(_mid(bottom) + np.array([0, 0.06 * unit]), (half * 0.6, 0.05 * unit)), 0.84)
    if opening > 0.03:
        c.fill(np.concatenate([line, inner[::-1]]), (78, 22, 26))
        if k.category != "baby" and opening > 0.05:
            c.fill(np.concatenate([gum, teeth[::-1]]), (238, 234, 226))
        if s.pose.mouth_open > 0.4:
            c.disc(_mid(inner) - (0, 0.05 * unit), (0.5 * half, 0.06 * unit), 0, (168, 72, 76))
    c.fill(np.concatenate([top, line[::-1]]), shade(k.lip, 0.88))
    c.fill(np.concatenate([inner, bottom[::-1]]), k.lip)
    gleam = ellipse((_mid(inner) + _mid(bottom)) * 0.5, (half * 0.35, 0.02 * unit))
    c.fill(gleam, mix(k.lip, (255, 245, 240), 0.22))
    c.line(line, shade(mix(k.lip, (70, 20, 20), 0.55), 0.8), 0.024 * unit)


def _mid(curve: np.ndarray) -> np.ndarray:
    return curve[len(curve) // 2]
