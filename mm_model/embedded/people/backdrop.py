"""Paints what is behind the person: seven kinds of place, out of focus.

Drawn small and stretched, which is both the camera's defocus and cheap. Also the empty pictures
of the faults. Depends on the shot alone.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from mm_model.embedded.people.brush import mix, shade
from mm_model.embedded.people.shot import ShotSetup

_SIDE = 72


@lru_cache(maxsize=128)
def backdrop(shot: ShotSetup) -> np.ndarray:
    """uint8 [72, 72, 3]; read-only, the same for every frame of a shot."""
    a, b, d = shot.background_colours
    rng = np.random.default_rng([17, shot.background_seed])
    ramp = np.linspace(0, 1, _SIDE)[:, None, None]
    image = np.asarray(a, float) * (1 - ramp) + np.asarray(b, float) * ramp
    image = np.ascontiguousarray(np.broadcast_to(image, (_SIDE, _SIDE, 3)).astype(np.uint8))
    paint = {
        "room": _room,
        "window": _window,
        "lights": _lights,
        "park": _park,
        "shelf": _shelf,
    }.get(shot.background)
    if shot.background == "plain":
        image[:] = a
    if paint is not None:
        paint(image, rng, (a, b, d))
    blur = 5 if shot.background in ("room", "window", "shelf") else 3
    image = cv2.GaussianBlur(image, (blur, blur), 0)
    image.setflags(write=False)
    return image


def _rect(image: np.ndarray, box: np.ndarray, colour: tuple[float, ...]) -> None:
    x0, y0, x1, y1 = (int(v) for v in box)
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, -1)


def _room(image: np.ndarray, rng: np.random.Generator, colours: tuple) -> None:
    a, b, d = colours
    image[:] = a
    floor = int(rng.uniform(0.6, 0.85) * _SIDE)
    image[floor:] = shade(b, 0.8)
    x = rng.uniform(0, 0.7) * _SIDE
    _rect(image, np.array([x, 6, x + 18, 28]), shade(d, 0.6))
    _rect(image, np.array([x + 2, 8, x + 16, 26]), d)
    corner = int(rng.uniform(0.1, 0.9) * _SIDE)
    image[:floor, corner:] = shade(a, 0.88) if rng.random() < 0.5 else image[:floor, corner:]


def _window(image: np.ndarray, rng: np.random.Generator, colours: tuple) -> None:
    a, b, d = colours
    image[:] = shade(a, 0.75)
    x, w = rng.uniform(-10, 40), rng.uniform(30, 50)
    _rect(image, np.array([x, -2, x + w, 50]), mix(d, (235, 240, 250), 0.65))
    _rect(image, np.array([x + w / 2 - 1, -2, x + w / 2 + 1, 50]), b)
    _rect(image, np.array([x, 22, x + w, 24]), b)


def _lights(image: np.ndarray, rng: np.random.Generator, colours: tuple) -> None:
    image[:] = (image * 0.45).astype(np.uint8)
    for _ in range(14):
        at = (int(rng.uniform(0, _SIDE)), int(rng.uniform(0, _SIDE)))
        colour = mix(colours[int(rng.integers(3))], (255, 220, 160), float(rng.uniform(0.2, 0.7)))
        cv2.circle(image, at, int(rng.uniform(2, 7)), colour, -1, cv2.LINE_AA)


def _park(image: np.ndarray, rng: np.random.Generator, colours: tuple) -> None:
    image[:26] = mix(colours[0], (190, 215, 240), 0.7)
    image[26:] = mix(colours[1], (80, 125, 60), 0.75)
    for _ in range(16):
        at = (int(rng.uniform(0, _SIDE)), int(rng.normal(26, 8)))
        green = mix(colours[2], (60, 105, 50), 0.8)
        cv2.circle(
            image, at, int(rng.uniform(4, 11)), shade(green, float(rng.uniform(0.6, 1.3))), -1
        )


def _shelf(image: np.ndarray, rng: np.random.Generator, colours: tuple) -> None:
    image[:] = shade(colours[0], 0.5)
    for y in (0, 24, 48):
        x = 0.0
        while x < _SIDE:
            w, h = rng.uniform(3, 8), rng.uniform(14, 20)
            colour = mix(colours[int(rng.integers(3))], tuple(rng.uniform(40, 220, 3)), 0.4)
            _rect(image, np.array([x, y + 22 - h, x + w - 1, y + 22]), colour)
            x += w
        _rect(image, np.array([0, y + 22, _SIDE, y + 24]), shade(colours[1], 0.6))
