"""Paints hair.

Hair is a shell around the head: everything above the hairline belongs to it, so it follows the
head's turns. Drawn in three layers: behind the body, around the head, and strands on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from mm_model.embedded.people.appearance import Appearance
from mm_model.embedded.people.brush import mix, shade
from mm_model.embedded.people.head import head, spline
from mm_model.embedded.people.people import Person
from mm_model.embedded.people.sitting import Sitting

_LONG = ("long", "wavy", "fringe")
_CURLY = ("curly", "afro")
_ANGLES = np.radians([0, 25, 48, 66, 80, 96, 130, 180])
_SIDE = np.radians(92)
_FACE_ANGLES = np.linspace(-_SIDE, _SIDE, 27)
_SHARES = np.array([0.0, 0.025, 0.08, 0.18, 0.36, 0.65, 1.0])[:, None]
_ROUND = np.linspace(-np.pi, np.pi, 24, endpoint=False)


@dataclass(frozen=True, eq=False)
class Cut:
    """One hair style on one head: hairline heights at ``_ANGLES`` and the shell's thickness."""

    line: np.ndarray
    swell: float
    top: float  # extra height above the crown
    slant: float  # hairline lower on one side (side partings)

    def height(self, angle: np.ndarray) -> np.ndarray:
        """y of the hairline at azimuth ``angle`` (radians)."""
        a = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
        y = np.interp(a, _ANGLES, self.line)
        return y + self.slant * np.sin(np.clip(angle, -1.2, 1.2)) * np.exp(-((angle / 1.0) ** 2))


@lru_cache(maxsize=1024)
def cut_of(name: str, k: Appearance) -> Cut | None:
    """The cut ``name`` on a head of look ``k``; ``None`` for bald."""
    if name == "bald":
        return None
    h, v = k.hairline, k.hair_volume
    # A bun or a crop shows the ears (low at 80 degrees = sideburns); long hair covers them.
    short = np.array([h, h, h + 0.10, -0.30, 0.16, -0.18, 0.30, 0.62])
    covered = np.array([h, h, h + 0.10, -0.10, 0.75, 0.9, 0.95, 0.95])
    swell, top, slant = 1.03 + 0.09 * v, 0.03 + 0.12 * v, 0.0
    line = short
    if name == "receding":
        line = np.array([k.crown + 0.02, k.crown * 0.93, -0.78, -0.42, 0.1, -0.2, 0.3, 0.62])
        swell, top = 1.04 + 0.10 * v, 0.0
    elif name == "fuzz":
        line, swell, top = short + np.array([-0.1, -0.1, -0.1, -0.15, -0.3, -0.1, 0, 0]), 1.015, 0.0
    elif name == "crop":
        line, swell, top = short, 1.025 + 0.02 * v, 0.02
    elif name == "side":
        slant = 0.26 * (1 if k.parting > 0 else -1)
        swell, top = 1.05 + 0.08 * v, 0.08 + 0.10 * v
    elif name == "quiff":
        swell, top = 1.03 + 0.03 * v, 0.20 + 0.22 * v
    elif name == "bowl":
        line = np.array([-0.44, -0.44, -0.40, -0.25, 0.12, 0.1, 0.4, 0.6])
        swell, top = 1.08 + 0.08 * v, 0.08
    elif name == "curly":
        swell, top = 1.10 + 0.12 * v, 0.10 + 0.12 * v
    elif name == "afro":
        swell, top = 1.26 + 0.26 * v, 0.10
    elif name == "bob":
        slant, line = 0.22 * (1 if k.parting > 0 else -1), covered
        swell = 1.08 + 0.12 * v
    elif name == "fringe":
        line = covered.copy()
        line[:3] = -0.43, -0.43, -0.36
        swell = 1.06 + 0.10 * v
    elif name in ("long", "wavy"):
        line = covered
        slant = 0.12 * k.parting
        swell = 1.05 + 0.12 * v
    elif name in ("bun", "pigtails"):
        swell, top = 1.03 + 0.02 * v, 0.02
    return Cut(line, swell, top, slant)


def paint_back_hair(s: Sitting) -> None:
    """Hair that hangs behind the neck and shoulders, buns and pigtails."""
    k, c, name = s.look, s.canvas, s.person.hair
    dark = shade(k.hair, 0.72)
    if name in _LONG:
        c.fill(_mane(s, inner=False), dark)
    elif name == "bob":
        low = 0.85 + 0.5 * k.hair_length
        w = k.width * (1.10 + 0.14 * k.hair_volume)
        x = np.array([-0.9, -1.0, -1.02, -0.8, 0.8, 1.02, 1.0, 0.9]) * w
        y = np.array([-0.3, 0.4, low - 0.15, low, low, low - 0.15, 0.4, -0.3])
        c.fill(spline(s.view.project(np.stack([x, y, 0 * x - 0.25], 1)), 3, closed=True), dark)
    elif name == "bun":
        at = s.view.project(np.array([[0.25 * k.parting, k.crown - 0.18, -0.35]]))[0]
        r = (0.30 + 0.16 * k.hair_volume) * s.unit
        c.disc(at, (r * 1.1, r), 0, shade(k.hair, 0.86))
        c.disc(at - (0.1 * r, 0.2 * r), (r * 0.6, r * 0.5), 0, k.hair)
    elif name == "pigtails":
        for side in (-1, 1):
            root = np.array([side * 1.12 * k.width, -0.05, -0.3])
            drop = 0.55 + 0.7 * k.hair_length
            y = np.array([0.0, 0.25, 0.7, 1.0]) * drop
            x = np.array([0.0, 0.22, 0.24, 0.08])
            ring = np.concatenate([np.stack([x, y], 1), np.stack([x * 0 - 0.12, y], 1)[::-1]])
            points = root + np.concatenate([ring * (side, 1), np.zeros((8, 1))], 1)
            c.fill(spline(s.view.project(points), 3, closed=True), shade(k.hair, 0.85))
            c.disc(s.view.project(root[None])[0], (0.09 * s.unit, 0.11 * s.unit), 0, (205, 70, 90))


def _mane(s: Sitting, inner: bool, side: int = 1) -> np.ndarray:
    """Outline [N, 2] of hanging hair: the whole back, or the lock over one shoulder."""
    k = s.look
    w = k.width * (1.12 + 0.26 * k.hair_volume)
    low = 1.35 + 1.1 * k.hair_length
    n = 7
    y = np.linspace(-0.75, low, n)
    flare = np.array([0.62, 0.97, 1.02, 1.04, 1.05, 1.02, 0.82]) * w
    if s.person.hair == "wavy":
        flare = flare + 0.09 * np.cos(np.arange(n) * 2.4)
    if not inner:
        x = np.concatenate([-flare, flare[::-1]])
        ys = np.concatenate([y, y[::-1]])
    else:
        edge = np.linspace(0.86, 0.62, n) * k.width
        x = side * np.concatenate([flare, edge[::-1]])
        ys = np.concatenate([y, (y * 0.97)[::-1]])
    z = np.full_like(x, -0.30)
    hang = np.clip((ys - 1.0) / 1.2, 0, 1)[:, None]  # the ends rest on the body
    turned = s.view.project(np.stack([x, ys, z], 1))
    return spline(
        turned * (1 - 0.7 * hang) + s.view.flat(np.stack([x, ys], 1)) * 0.7 * hang, 3, True
    )


def paint_hair(s: Sitting) -> None:
    """The shell around the head, the face cut out of it, and strands."""
    cut = cut_of(s.person.hair, s.look)
    if cut is None:
        return
    k, c = s.look, s.canvas
    if s.person.hair in _LONG:
        for side in (-1, 1):
            c.fill(_mane(s, inner=True, side=side), shade(k.hair, 0.86))
    shell = s.view.project(_shell_points(s.person, k, cut))
    tone = mix(k.skin, k.hair, 0.45) if s.person.hair == "fuzz" else k.hair
    if s.person.hair == "crop":
        tone = mix(k.skin, k.hair, 0.82)
    if s.person.hair in _CURLY:
        _curls(s, cut, front=False)
    c.fill(cv2.convexHull(shell.astype(np.float32))[:, 0], tone)
    _face_patch(s, cut)
    if s.person.hair in _CURLY:
        _curls(s, cut, front=True)
    elif s.person.hair != "fuzz":
        _strands(s, cut)


@lru_cache(maxsize=256)
def _shell_points(p: Person, k: Appearance, cut: Cut) -> np.ndarray:
    """Head points [N, 3] of the hair's outer surface."""
    line = cut.height(_ROUND)
    y = k.crown * 0.999 + (line[None] - k.crown * 0.999) * _SHARES
    angle = np.broadcast_to(_ROUND, y.shape)
    return _raised(p, k, cut, head(k).around(angle.ravel(), y.ravel(), cut.swell))


@lru_cache(maxsize=256)
def _patch_points(k: Appearance, cut: Cut) -> tuple[np.ndarray, list[int]]:
    """Head points of the skin below the hairline, and where its four parts end.

    Parts: the hairline, a shadow line under it, the forehead's lower edge, the rest.
    """
    surface, line = head(k), cut.height(_FACE_ANGLES)
    share = np.linspace(0, 1, 6)[:, None]
    start = np.maximum(line, -0.15)[None]
    y = start + (k.chin - start) * share
    angle = np.broadcast_to(_FACE_ANGLES, y.shape)
    keep = start[0] < k.chin * 0.45
    inside = line < -0.05
    a = _FACE_ANGLES[inside]
    parts = [
        surface.around(a, line[inside], 1.015),
        surface.around(a, line[inside] + 0.05, 1.01),
        surface.around(a[::-1], np.full(inside.sum(), 0.05)),
        surface.around(angle[:, keep].ravel(), y[:, keep].ravel()),
    ]
    return np.concatenate(parts), [len(a), 2 * len(a), 3 * len(a)]


def _face_patch(s: Sitting, cut: Cut) -> None:
    """Skin below the hairline, over the shell."""
    points, ends = _patch_points(s.look, cut)
    edge, under, low, lower = np.split(s.view.project(points), ends)
    c, skin = s.canvas, s.look.skin
    c.fill(cv2.convexHull(lower.astype(np.float32))[:, 0], skin)
    c.fill(np.concatenate([edge, low]), skin)
    if s.person.hair not in ("fuzz", "receding"):
        c.light(np.concatenate([edge, under[::-1]]), 0.82)


@lru_cache(maxsize=256)
def _strand_points(p: Person, k: Appearance, cut: Cut) -> np.ndarray:
    """Head points [15 * 6, 3] of fifteen strands from the parting to the hairline."""
    part = 0.35 * k.parting
    rng = np.random.default_rng([11, p.seed])
    ends = np.linspace(-2.0, 2.0, 15)[:, None]
    t = 0.09 + 0.1 * rng.random((15, 1)) + np.linspace(0, 0.80, 6)[None]
    y = k.crown + (cut.height(ends) - k.crown) * t
    angle = part + (ends - part) * t**0.6
    surface = head(k).around(angle.ravel(), y.ravel(), cut.swell * 0.985)
    return _raised(p, k, cut, surface, 0.9)


def _strands(s: Sitting, cut: Cut) -> None:
    k, c = s.look, s.canvas
    light, dark = shade(mix(k.hair, (255, 245, 225), 0.10), 1.06), shade(k.hair, 0.84)
    points = _strand_points(s.person, k, cut)
    front = s.view.turned(points)[:, 2].reshape(15, 6).min(1) > -0.1
    flat = s.view.project(points).reshape(15, 6, 2)
    for tone, first in ((dark, 0), (light, 1)):
        lines = [flat[i] for i in range(first, 15, 2) if front[i]]
        if lines:
            c.line(lines, tone, 0.035 * s.unit)


def _raised(
    p: Person, k: Appearance, cut: Cut, points: np.ndarray, share: float = 1.0
) -> np.ndarray:
    """Points of the shell lifted by the hair's height above the skull."""
    lift = np.clip((points[:, 1] + 0.35) / (k.crown + 0.35), 0, 1)
    points[:, 1] -= (cut.top + (cut.swell - 1) * 1.3) * lift * share
    if p.hair == "quiff":
        points[:, 2] += 0.25 * lift * (points[:, 2] > 0)
        points[:, 0] += 0.12 * lift * k.parting
    return points


@lru_cache(maxsize=256)
def _curl_points(p: Person, k: Appearance, cut: Cut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head points [N, 3], radii [N] in head units and tones [N] of the curls."""
    rng = np.random.default_rng([13, p.seed])
    rows, cols = (5, 16) if p.hair == "afro" else (5, 14)
    angle = np.linspace(-np.pi, np.pi, cols, endpoint=False)
    line = cut.height(angle) - 0.06
    share = np.linspace(0.05, 1.0, rows)[:, None]
    y = k.crown * 0.98 + (line[None] - k.crown * 0.98) * share
    a = np.broadcast_to(angle, y.shape) + np.where(np.arange(rows)[:, None] % 2, 0.2, 0.0)
    points = _raised(p, k, cut, head(k).around(a.ravel(), y.ravel(), cut.swell * 0.97))
    radius = (0.15 + 0.07 * k.hair_volume) * (0.8 + 0.4 * rng.random(len(points)))
    return points, radius, rng.uniform(0.74, 1.22, len(points))


def _curls(s: Sitting, cut: Cut, front: bool) -> None:
    """Round curls over the shell; those behind the silhouette first."""
    points, radius, tone = _curl_points(s.person, s.look, cut)
    depth = s.view.turned(points)[:, 2]
    for i, at in enumerate(s.view.project(points)):
        if (depth[i] > 0.25) == front:
            r = radius[i] * s.unit
            s.canvas.disc(at, (r, r * 0.9), 0, shade(s.look.hair, tone[i] if front else 0.85))
