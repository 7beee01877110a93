"""Paints what is worn on the face: beard and glasses.

Both follow the head's surface. Hair above the ears is painted in ``paint_hair.py``.
"""

from __future__ import annotations

import numpy as np

from mm_model.embedded.people.brush import shade
from mm_model.embedded.people.head import spline
from mm_model.embedded.people.sitting import Sitting


def paint_beard(s: Sitting) -> None:
    """Stubble, moustache, goatee, full or long beard; nothing for who has none."""
    k, c, name = s.look, s.canvas, s.person.beard
    if name == "none":
        return
    strength = 0.55 + 0.45 * s.person.trait("beard_darkness")
    lip_y, nose_y, drop = k.mouth_y, k.nose_y + 0.16, 0.20 * s.pose.mouth_open
    if name != "stubble":
        wide = k.mouth_w * 1.12
        x = np.array([-1, -0.6, 0, 0.6, 1, 0.7, 0, -0.7]) * wide
        mid = (nose_y + lip_y - k.upper_lip) / 2
        y = np.array(
            [
                lip_y + 0.05,
                mid - 0.05,
                nose_y,
                mid - 0.05,
                lip_y + 0.05,
                lip_y - 0.03,
                lip_y - 0.7 * k.upper_lip,
                lip_y - 0.03,
            ]
        )
        c.glaze(spline(s.on(x, y, 0.07), 3, closed=True), k.beard, 0.95 * strength, 0.01 * s.unit)
    if name == "moustache":
        return
    wide = {"goatee": 0.42, "stubble": 1.0}.get(name, 1.0)
    tail = {"long": 0.42, "full": 0.10, "goatee": 0.12}.get(name, 0.0)
    side = np.linspace(-1, 1, 15)
    top_y = np.where(np.abs(side) > 0.55, lip_y - (np.abs(side) - 0.55) * 1.3, lip_y + 0.02 + drop)
    inner_x = side * (0.97 * k.width if wide == 1.0 else k.mouth_w * 1.05)
    inner = s.on(inner_x, top_y if wide == 1.0 else np.full(15, lip_y + 0.1 + drop), 0.03)
    a = side[::-1] * (np.radians(84) if wide == 1.0 else np.radians(26))
    low_y = (
        k.chin * (1 - 0.42 * np.abs(side) ** 2.2) if wide == 1.0 else np.full(15, k.chin * 0.985)
    )
    points = s.head.around(a, np.minimum(low_y, k.chin * 0.985), 1.03)
    points[:, 1] += tail * (1 - np.abs(side) ** 1.5) + 0.03
    outline = np.concatenate([inner, s.view.project(points)])
    alpha = 0.34 * strength if name == "stubble" else strength
    c.glaze(outline, k.beard if name != "stubble" else shade(k.beard, 0.8), alpha, 0.03 * s.unit)


def paint_glasses(s: Sitting) -> None:
    """Frames on the nose with temples towards the ears; nothing for who wears none."""
    k, c, name = s.look, s.canvas, s.person.glasses
    if name == "none":
        return
    w, h, power, bold = {
        "round": (0.33, 0.31, 2.0, 0.035),
        "square": (0.36, 0.25, 5.0, 0.045),
        "thick": (0.36, 0.28, 4.0, 0.085),
        "large": (0.42, 0.38, 2.6, 0.055),
    }[name]
    tone = {"round": (150, 120, 60), "square": (40, 40, 46), "thick": (24, 20, 20)}.get(
        name, (110, 50, 40)
    )
    w = min(w, k.eye_x - 0.06)
    a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring_x = np.sign(np.cos(a)) * np.abs(np.cos(a)) ** (2 / power) * w
    ring_y = np.sign(np.sin(a)) * np.abs(np.sin(a)) ** (2 / power) * h + 0.03
    flat_z = float(np.interp(0.0, s.head.y, s.head.front)) + 0.10
    for side in (-1, 1):
        x = side * k.eye_x + ring_x
        z = flat_z - 0.28 * (np.abs(x) / k.width) ** 2
        points = s.view.project(np.stack([x, ring_y, z], 1))
        c.line(points, tone, bold * s.unit, closed=True)
        hinge = side * (k.eye_x + w)
        arm = np.array([[hinge, -0.03, flat_z - 0.26], [side * k.width * 1.0, -0.02, 0.0]])
        if side * s.pose.yaw < 12:
            c.line(s.view.project(arm), tone, bold * 0.8 * s.unit)
    inner = k.eye_x - w
    bridge = np.array([[-inner, -0.02, flat_z], [0, -0.06, flat_z + 0.03], [inner, -0.02, flat_z]])
    c.line(s.view.project(bridge), tone, bold * s.unit)
