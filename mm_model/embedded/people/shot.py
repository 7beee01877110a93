"""Everything in a picture that is not the person: place, light, clothes, framing, camera.

A shot is drawn without looking at the person, so nothing here can stand in for likeness.
Refuses to hold pixels: it is plain numbers, hashable and cheap to record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BACKGROUNDS = ("plain", "gradient", "room", "window", "lights", "park", "shelf")
CLOTHES = ("t-shirt", "v-neck", "shirt", "jumper", "hood", "jacket")

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class ShotSetup:
    """One place, light, outfit and camera.

    face_height: share of the frame's height, forehead to chin, in the plane of the neck; the face
    stands nearer to the camera and is about a tenth larger. offset: frame widths right and down.
    light: direction towards the light (x right, y down, z to the viewer), unit length. contrast:
    0 (flat) to 1 (hard). tint: gains of red, green, blue. noise: standard deviation in grey levels.
    softness: blur of the camera in shares of the frame width.
    """

    background: str = "gradient"
    background_colours: tuple[Rgb, Rgb, Rgb] = ((150, 160, 170), (110, 120, 135), (190, 180, 160))
    background_seed: int = 0
    light: tuple[float, float, float] = (-0.4, -0.4, 0.82)
    contrast: float = 0.45
    exposure: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    clothes: str = "t-shirt"
    clothes_colours: tuple[Rgb, Rgb] = ((60, 90, 140), (220, 220, 225))
    stripes: bool = False
    face_height: float = 0.52
    offset: tuple[float, float] = (0.0, 0.0)
    noise: float = 1.5
    noise_seed: int = 0
    softness: float = 0.0


def _colour(rng: np.random.Generator, low: int, high: int, saturation: float) -> Rgb:
    grey = rng.uniform(low, high)
    shift = rng.uniform(-1, 1, 3)
    shift -= shift.mean()
    rgb = np.clip(grey + shift * saturation * 80, 12, 245)
    return (int(rgb[0]), int(rgb[1]), int(rgb[2]))


def shot(rng: np.random.Generator) -> ShotSetup:
    """A random shot: face height 45-60% of the frame, off centre by up to 5%."""
    angle, height = rng.uniform(-1.1, 1.1), rng.uniform(-0.75, -0.05)
    light = np.array([np.sin(angle), height, np.cos(angle)])
    light /= np.linalg.norm(light)
    warmth = rng.uniform(-1, 1)
    tint = 1 + np.array([0.07, 0.0, -0.09]) * warmth + rng.uniform(-0.015, 0.015, 3)
    one, two, three = (_colour(rng, 50, 215, rng.uniform(0, 1)) for _ in range(3))
    return ShotSetup(
        background=str(rng.choice(BACKGROUNDS)),
        background_colours=(one, two, three),
        background_seed=int(rng.integers(2**31)),
        light=(float(light[0]), float(light[1]), float(light[2])),
        contrast=float(rng.uniform(0.2, 0.75)),
        exposure=float(rng.uniform(0.88, 1.08)),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        clothes=str(rng.choice(CLOTHES)),
        clothes_colours=(_colour(rng, 30, 215, rng.uniform(0.2, 1)), _colour(rng, 20, 235, 0.5)),
        stripes=bool(rng.random() < 0.25),
        face_height=float(rng.uniform(0.45, 0.60)),
        offset=(float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.03, 0.03))),
        noise=float(rng.uniform(0.5, 3.0)),
        noise_seed=int(rng.integers(2**31)),
        softness=float(max(0.0, rng.uniform(-0.006, 0.005))),
    )
