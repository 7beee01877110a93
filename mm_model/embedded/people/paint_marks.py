"""Paints what skin shows: cheek colour, folds and lines of age, freckles and a mole.

Expression lines follow the pose, the rest is the person's own. Draws nothing outside the face.
"""

from __future__ import annotations

import numpy as np

from mm_model.embedded.people.brush import ellipse, mix, shade
from mm_model.embedded.people.head import spline
from mm_model.embedded.people.sitting import Curve, Sitting

_ROSY = {"baby": 0.34, "girl": 0.28, "boy": 0.22, "woman": 0.24}


def paint_marks(s: Sitting) -> None:
    """Cheeks, folds, wrinkles, freckles, mole."""
    k, c = s.look, s.canvas
    rosy = _ROSY.get(k.category, 0.0)
    if rosy:
        at = np.array([-0.60, 0.60]) * k.width
        blush = mix(k.skin, (225, 90, 85), 0.6)
        points = s.on(at, k.chin * 0.42 - 0.03 * s.pose.smile)
        for side, point in zip((-1, 1), points, strict=True):
            shown = min(1.0, max(0.0, 1.1 - side * s.pose.yaw / 25))  # not past the far edge
            if shown > 0:
                axes = (0.25 * s.unit * (0.4 + 0.6 * shown), 0.17 * s.unit)
                c.glaze(ellipse(point, axes), blush, rosy * shown, soft=0.07 * s.unit)
    smile = max(0.0, s.pose.smile)
    fold = max(k.age * 0.85, (0.5 if k.age > 0 else 0.2) * smile)
    if fold > 0.12:
        wide = k.mouth_w * (1.20 + 0.22 * smile)
        x = np.array([k.nose_w * 1.1, (k.nose_w + wide) * 0.53, wide, wide * 1.05])
        y = np.array([k.nose_y, k.nose_y + 0.12, k.mouth_y - 0.12, k.mouth_y + 0.05])
        lines = s.curves((-x, y, 0.0), (x, y, 0.0))
        c.line([spline(line, 3) for line in lines], shade(k.skin, 1 - 0.34 * fold), 0.035 * s.unit)
    if k.age > 0.5:
        _wrinkles(s)
    _spots(s, s.person.trait("freckles"), s.person.trait("mole"), s.person.trait("mole_side"))


def _wrinkles(s: Sitting) -> None:
    k = s.look
    lines: list[Curve] = []
    for i in range(3):
        y = k.brow_y - 0.13 - 0.13 * i
        if y < k.hairline + 0.08:
            break
        x = np.linspace(-0.5, 0.5, 9) * k.width * (1 - 0.12 * i)
        lines.append((x, y + 0.018 * np.cos(7 * x + i), 0.0))
    u = np.linspace(-0.9, 0.9, 7)
    for side in (-1, 1):
        base = side * (k.eye_x + k.eye_w * 1.12)
        for rise in (-0.09, 0.0, 0.08):
            x = base + side * np.array([0.0, 0.08, 0.15])
            lines.append((x, np.array([0.3, 0.8, 1.3]) * rise, 0.0))
        lines.append((side * k.eye_x + u * k.eye_w, 1.2 * k.eye_h + 0.09 - 0.07 * u**2, 0.0))
        jowl = side * np.array([1.25, 1.4, 1.35]) * k.mouth_w
        lines.append((jowl, k.mouth_y + np.array([0.1, 0.2, 0.32]), 0.0))
    s.canvas.line(s.curves(*lines), shade(k.skin, 1 - 0.24 * k.age), 0.026 * s.unit)


def _spots(s: Sitting, freckles: float, mole: float, mole_side: float) -> None:
    k, c = s.look, s.canvas
    if freckles > 0.05:
        rng = np.random.default_rng([7, s.person.seed])
        n = int(8 + 24 * freckles)
        x = np.clip(rng.normal(0, 0.40, n), -0.8, 0.8) * k.width
        y = k.nose_y * 0.75 + rng.normal(0, 0.13, n)
        tone = mix(shade(k.skin, 0.72), (150, 80, 40), 0.25)
        for point in s.on(x, y, 0.01):
            c.disc(point, (0.018 * s.unit, 0.018 * s.unit), 0, tone)
    if mole > 0:
        across = (mole_side * 2 - 1) * 0.62 * k.width
        down = k.nose_y + (mole - 0.8) * 1.1 * k.chin + 0.15
        at = s.on(np.array([across]), down, 0.01)[0]
        c.disc(at, (0.042 * s.unit, 0.042 * s.unit), 0, shade(mix(k.skin, (70, 40, 30), 0.7), 0.7))
