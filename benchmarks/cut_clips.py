"""Made clips that are cut or not, by kind: people and scenes, through a real encoder.

Every kind has the same number of clips of 13 to 33 frames, seeded; half show people, half scenes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from mm_model.embedded.people.action import draw_jitter, trajectory
from mm_model.embedded.people.people import person
from mm_model.embedded.people.render import render
from mm_model.embedded.people.shot import shot
from mm_model.media.encode import mp4_bytes
from mm_model.media.frames import Developer
from mm_model.media.probe import best_stream, open_clip

_FPS = 8
_LONGEST = 33
_SHOTS = 24
"""Shots of people and of scenes from which the clips are put together."""
_ACTIONS = ("talks", "smiles", "turns left", "nods")


@dataclass(frozen=True)
class Made:
    """frames: uint8 [T, H, W, 3] RGB as decoded; cut: whether two shots were joined."""

    kind: str
    cut: bool
    frames: list[np.ndarray]


@dataclass(frozen=True)
class Film:
    """One random hand, for clips of `side` pixels; `scenes` or people."""

    rng: np.random.Generator
    side: int
    scenes: bool
    count: int

    def shot(self, other_than: int | None = None) -> tuple[int, np.ndarray]:
        """Number and frames float32 [count, side, side, 3] of a shot, another than the given."""
        numbers = [n for n in range(_SHOTS) if n != other_than]
        number = int(self.rng.choice(numbers))
        start = int(self.rng.integers(0, _LONGEST - self.count + 1))
        frames = _shot(number, self.side, self.scenes)[start : start + self.count]
        return number, frames.astype(np.float32)

    def two(self) -> tuple[np.ndarray, np.ndarray]:
        """Two different shots."""
        number, first = self.shot()
        return first, self.shot(number)[1]

    def place(self, length: int = 0) -> int:
        """Where something of `length` frames begins, with a frame at least on either side."""
        return int(self.rng.integers(1, self.count - length))


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth ground, things of several sizes on it, and fine grain: float32 [height, width, 3]."""
    base = rng.uniform(20, 235, 3)
    out = np.zeros((height, width, 3), np.float32) + base.astype(np.float32)
    for cells, strength in ((4, 60), (12, 35), (48, 14)):
        wide = max(2, round(cells * width / height))
        coarse = rng.normal(0, strength, (cells, wide, 3)).astype(np.float32)
        out += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(10 * width / height)):
        middle = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = (int(height * rng.uniform(0.03, 0.2)), int(height * rng.uniform(0.03, 0.2)))
        colour = tuple(float(value) for value in rng.uniform(10, 245, 3))
        cv2.ellipse(out, middle, size, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return np.clip(out, 0, 255)


@cache
def _shot(number: int, side: int, scenes: bool) -> np.ndarray:
    """Frames uint8 [_LONGEST, side, side, 3] of one shot: somebody acts, or a slow pan."""
    rng = np.random.default_rng((number, scenes))
    if not scenes:
        who, setup, jitter = person(100 + number), shot(rng), draw_jitter(rng)
        action = _ACTIONS[number % len(_ACTIONS)]
        poses = (trajectory(action, t, jitter) for t in np.linspace(0, 1, _LONGEST))
        drawn = (render(who, setup, pose, side, moment=i) for i, pose in enumerate(poses))
        return np.stack([frame.image for frame in drawn])
    wide = _texture(rng, side, side + side // 4)
    steps = np.linspace(0, side // 4, _LONGEST).astype(int)
    frames = np.stack([wide[:, step : step + side] for step in steps])
    grain = rng.normal(0, 2, frames.shape)
    return np.clip(frames + grain, 0, 255).astype(np.uint8)


def _hard(film: Film) -> np.ndarray:
    first, second = film.two()
    place = film.place()
    return np.concatenate([first[:place], second[place:]])


def _dissolve(film: Film, length: int) -> np.ndarray:
    first, second = film.two()
    place = film.place(length)
    mixed = np.clip((np.arange(film.count) - place + 1) / (length + 1), 0, 1)[:, None, None, None]
    return first * (1 - mixed) + second * mixed


def _through_black(film: Film) -> np.ndarray:
    first, second = film.two()
    ramp = int(film.rng.integers(2, 5))
    middle = film.place(2 * ramp + 1) + ramp
    away = np.abs(np.arange(film.count) - middle)
    gain = np.clip(away / ramp, 0, 1)[:, None, None, None]
    return np.concatenate([first[:middle], second[middle:]]) * gain


def _plain(film: Film) -> np.ndarray:
    return film.shot()[1]


def _fade(film: Film, out: bool) -> np.ndarray:
    length = int(film.rng.integers(3, 9))
    gain = np.clip(np.arange(film.count) / length, 0, 1)[:, None, None, None]
    return film.shot()[1] * (gain[::-1] if out else gain)


def _flash(film: Film, length: int) -> np.ndarray:
    frames, place = film.shot()[1], film.place(length)
    strength = float(film.rng.uniform(1.8, 3.0))
    frames[place : place + length] = frames[place : place + length] * strength + 70
    return frames


def _fast_pan(film: Film) -> np.ndarray:
    step = max(1, round(film.side * film.rng.uniform(0.05, 0.12)))
    wide = _texture(film.rng, film.side, film.side + step * film.count)
    return np.stack([wide[:, i * step : i * step + film.side] for i in range(film.count)])


def _zoom(film: Film) -> np.ndarray:
    frames, most = film.shot()[1], float(film.rng.uniform(1.6, 2.5))
    ratios = np.linspace(1, most, film.count)[:: int(film.rng.choice([-1, 1]))]
    half = film.side / 2
    turns = [cv2.getRotationMatrix2D((half, half), 0, float(ratio)) for ratio in ratios]
    size = (film.side, film.side)
    return np.stack([cv2.warpAffine(f, m, size) for f, m in zip(frames, turns, strict=True)])


def _walk_in(film: Film) -> np.ndarray:
    rng, who = film.rng, person(100 + int(film.rng.integers(0, _SHOTS)))
    setup, jitter = shot(rng), draw_jitter(rng)
    side, arrived = int(rng.choice([-1, 1])), int(rng.integers(film.count // 2, film.count))
    drawn = []
    for i in range(film.count):
        away = side * max(0.0, 1 - i / arrived)
        pose = trajectory("talks", i / film.count, jitter)
        here = replace(setup, offset=(setup.offset[0] + 0.9 * away, setup.offset[1]))
        drawn.append(render(who, here, pose, film.side, moment=i).image)
    return np.stack(drawn).astype(np.float32)


def _light(film: Film, sudden: bool) -> np.ndarray:
    low = float(film.rng.uniform(0.35, 0.6))
    tint = film.rng.uniform(0.85, 1.15, 3)
    along = np.linspace(0, 1, film.count)
    if sudden:
        along = (np.arange(film.count) >= film.place()).astype(float)
    along = along[:: int(film.rng.choice([-1, 1]))][:, None, None, None]
    return film.shot()[1] * (1 - along * (1 - low * tint))


Maker = Callable[[Film], np.ndarray]

CUT: dict[str, Maker] = {
    "hard cut": _hard,
    "dissolve over 2 frames": lambda film: _dissolve(film, 2),
    "dissolve over 8 frames": lambda film: _dissolve(film, 8),
    "through black": _through_black,
}
WHOLE: dict[str, Maker] = {
    "nothing happens": _plain,
    "fade-in at the start": lambda film: _fade(film, False),
    "fade-out at the end": lambda film: _fade(film, True),
    "flash of 1 frame": lambda film: _flash(film, 1),
    "flash of 2 frames": lambda film: _flash(film, 2),
    "fast pan": _fast_pan,
    "zoom": _zoom,
    "somebody walks in": _walk_in,
    "light changes slowly": lambda film: _light(film, False),
    "light is switched": lambda film: _light(film, True),
}


def made(side: int, each: int, seed: int = 0) -> Iterator[Made]:
    """`each` clips of every kind, `side` pixels wide and high, as a decoder gives them."""
    for kind, maker in (CUT | WHOLE).items():
        for number in range(each):
            rng = np.random.default_rng((seed, side, number, len(kind), *kind.encode()))
            film = Film(rng, side, bool(number % 2), int(rng.integers(13, _LONGEST + 1)))
            frames = np.clip(maker(film), 0, 255).astype(np.uint8)
            yield Made(kind, kind in CUT, _decoded(mp4_bytes(frames, _FPS)))


def _decoded(content: bytes) -> list[np.ndarray]:
    with open_clip(content) as container:
        stream = best_stream(container)
        develop = Developer(stream)
        return [develop(frame) for frame in container.decode(stream)]
