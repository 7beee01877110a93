"""Paints neck, shoulders and clothes.

The body stays upright while the head moves. Clothes come from the shot, never from the person.
"""

from __future__ import annotations

import numpy as np

from mm_model.embedded.people.appearance import appearance
from mm_model.embedded.people.brush import mix, shade
from mm_model.embedded.people.head import spline
from mm_model.embedded.people.sitting import Sitting

_GAP = {"baby": 0.16, "boy": 0.32, "girl": 0.32}  # chin to collar; 0.42 for adults

Points = list[tuple[float, float]]


def paint_body(s: Sitting) -> None:
    """Neck in the head's shadow, shoulders, and the shot's clothes."""
    # The chin at rest: a talking person's shoulders stay where they are.
    base = appearance(s.person).chin + _GAP.get(s.look.category, 0.42)
    _torso(s, base)
    _neckline(s, base)
    _neck(s, base)
    _collar(s, base)


def _flat(s: Sitting, points: Points) -> np.ndarray:
    return s.view.flat(np.array(points))


def _torso(s: Sitting, base: float) -> None:
    c, n, w = s.canvas, s.look.neck, s.look.shoulders
    cloth, second = s.shot.clothes_colours
    low = base + 3.4
    half = [
        (n * 1.05, base - 0.12),
        (n * 1.45, base + 0.03),
        (w * 0.62, base + 0.22),
        (w * 0.90, base + 0.48),
        (w, base + 1.0),
        (w * 1.02, low),
    ]
    mirrored = [(-x, y) for x, y in reversed(half)]
    c.fill(
        np.concatenate([spline(_flat(s, mirrored), 3), spline(_flat(s, half), 3)]),
        cloth,
        head=False,
    )
    for side in (-1, 1):
        arm = [
            (side * w * 0.66, base + 0.3),
            (side * w * 0.93, base + 0.6),
            (side * w, low),
            (side * w * 0.72, low),
        ]
        c.light(_flat(s, arm), 1.10 if side * s.shot.light[0] > 0 else 0.80)
    if s.shot.stripes:
        for i in range(4):
            y, wide = base + 0.55 + 0.42 * i, w * 0.96
            bar = [(-wide, y), (wide, y), (wide, y + 0.17), (-wide, y + 0.17)]
            c.fill(_flat(s, bar), second, head=False)


def _neck(s: Sitting, base: float) -> None:
    k, n, chin = s.look, s.look.neck, appearance(s.person).chin
    outline = [
        (-n, 0.5),
        (n, 0.5),
        (n, base - 0.15),
        (n * 1.1, base + 0.02),
        (0, base + 0.2),
        (-n * 1.1, base + 0.02),
        (-n, base - 0.15),
    ]
    curve = spline(_flat(s, outline), 3, closed=True)
    s.canvas.fill(curve, shade(k.skin, 0.86), head=False)
    shadow = [
        (-n * 1.1, chin * 0.6),
        (n * 1.1, chin * 0.6),
        (n * 0.95, chin + 0.10),
        (0, chin + 0.22),
        (-n * 0.95, chin + 0.10),
    ]
    s.canvas.light(_flat(s, shadow), 0.72)


def _neckline(s: Sitting, base: float) -> None:
    k, c, n = s.look, s.canvas, s.look.neck
    cloth, second = s.shot.clothes_colours
    skin = shade(k.skin, 0.92)
    flat = s.view.flat
    if s.shot.clothes == "v-neck":
        c.fill(
            flat(np.array([(-n * 1.3, base - 0.02), (n * 1.3, base - 0.02), (0, base + 0.75)])),
            skin,
            head=False,
        )
    elif s.shot.clothes == "t-shirt":
        a = np.linspace(0, np.pi, 11)
        points = np.stack([n * 1.35 * np.cos(a), base + 0.02 + 0.30 * np.sin(a)], 1)
        c.fill(flat(points), skin, head=False)
    elif s.shot.clothes == "jacket":
        c.fill(
            flat(
                np.array(
                    [(-n * 1.3, base), (n * 1.3, base), (0.12, base + 1.6), (-0.12, base + 1.6)]
                )
            ),
            second,
            head=False,
        )
        for side in (-1, 1):
            lapel = np.array(
                [
                    (side * n * 1.25, base - 0.05),
                    (side * (n * 1.3 + 0.35), base + 0.5),
                    (side * 0.1, base + 1.6),
                ]
            )
            c.fill(flat(lapel), shade(cloth, 0.78), head=False)


def _collar(s: Sitting, base: float) -> None:
    c, n = s.canvas, s.look.neck
    cloth, second = s.shot.clothes_colours
    flat = s.view.flat
    if s.shot.clothes == "shirt":
        for side in (-1, 1):
            points = np.array(
                [
                    (side * n * 1.12, base - 0.22),
                    (side * n * 1.55, base + 0.10),
                    (side * n * 0.75, base + 0.48),
                    (side * 0.04, base + 0.16),
                ]
            )
            c.fill(flat(points), mix(cloth, (255, 255, 255), 0.35), head=False)
        c.line(
            flat(np.array([(0, base + 0.2), (0, base + 3.0)])),
            shade(cloth, 0.7),
            0.04 * s.unit,
            head=False,
        )
    elif s.shot.clothes == "jumper":
        a = np.linspace(0, np.pi, 11)
        ring = np.stack([n * 1.25 * np.cos(a), base - 0.10 + 0.26 * np.sin(a)], 1)
        outer = np.stack([n * 1.42 * np.cos(a), base - 0.06 + 0.40 * np.sin(a)], 1)
        c.fill(flat(np.concatenate([ring, outer[::-1]])), shade(cloth, 0.8), head=False)
    elif s.shot.clothes == "hood":
        for side in (-1, 1):
            fold = np.array(
                [
                    (side * n * 1.05, base - 0.30),
                    (side * n * 2.0, base - 0.05),
                    (side * n * 1.6, base + 0.35),
                    (side * n * 0.4, base + 0.42),
                    (side * n * 1.0, base + 0.05),
                ]
            )
            c.fill(spline(flat(fold), 3, closed=True), shade(cloth, 0.82), head=False)
            cord = np.array([(side * n * 0.5, base + 0.38), (side * n * 0.55, base + 0.95)])
            c.line(flat(cord), second, 0.05 * s.unit, head=False)
