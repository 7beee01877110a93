"""How well lettering is told: the cheap rule alone, OCR alone, and OCR as a second look by band.

On made pictures of 400 pixels, half with text. `ratio` is the share that the paper profile's band
tells right over that of the cheap rule alone. The table goes to stderr. Takes the package of
`make filters`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.result import Result
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.media import lettering, looks
from mm_model.settings import load_profile
from mm_model.store.layout import repository_root

GOAL = 1.0
_SIDE = 400
_WORDS = (
    "SUBSCRIBE NOW|breaking news|Photo by Anna Berg|stock-images 4417|I never said that.|"
    "Chapter Three|GRAND OPENING|No parking|Where are you going tonight?|LIVE|Studio Nord|SALE 50%"
).split("|")
_BANDS = ((0.0, 0.01), (0.0, 0.05), (0.005, 0.05), (0.01, 0.1), (0.02, 1.0), (0.005, 1.0))

Rng = np.random.Generator


@dataclass(frozen=True)
class Seen:
    """What both looks said of one picture, and the seconds of processor time they took."""

    kind: str
    text: bool
    cheap: float
    cheap_seconds: float
    read: float
    read_seconds: float


def options(command: argparse.ArgumentParser) -> None:
    """How many pictures of each kind, and which ones."""
    command.add_argument("--each", type=int, default=25, help="pictures of each of eight kinds")
    command.add_argument("--seed", type=int, default=1, help="which pictures are made")


def _face(rng: Rng) -> np.ndarray:
    return photograph(person(500 + int(rng.integers(200))), rng, _SIDE).image.copy()


def _stripes(rng: Rng) -> np.ndarray:
    """Stripes of cloth, fences and blinds, straight or tilted, beside a face or alone."""
    y, x = np.mgrid[:_SIDE, :_SIDE]
    turn, width = rng.uniform(0, np.pi), rng.uniform(4, 18)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * np.pi / width) > rng.uniform(-0.6, 0.6)
    one, other = rng.uniform(0, 255, (2, 3))
    bars = np.where(wave[..., None], one, other).astype(np.uint8)
    return _with_face(bars, rng)


def _bricks(rng: Rng) -> np.ndarray:
    out = np.full((_SIDE, _SIDE, 3), rng.uniform(120, 220, 3), np.uint8)
    high = int(rng.integers(10, 30))
    wide = int(high * rng.uniform(1.5, 3))
    for row in range(-1, _SIDE // high + 1):
        for column in range(-1, _SIDE // wide + 2):
            left = column * wide + (row % 2) * wide // 2
            tone = np.clip(np.array([150, 70, 50]) * rng.uniform(0.5, 1.3), 0, 255)
            corner = (left + wide - 3, row * high + high - 3)
            cv2.rectangle(out, (left, row * high), corner, tone.tolist(), -1)
    return _with_face(out, rng)


def _patterned(rng: Rng) -> np.ndarray:
    """Dots, checks and crosses in rows, as on clothes."""
    out = np.full((_SIDE, _SIDE, 3), rng.uniform(0, 255, 3), np.uint8)
    step, form, colour = int(rng.integers(12, 30)), int(rng.integers(3)), rng.uniform(0, 255, 3)
    reach = int(step * rng.uniform(0.2, 0.42))
    for y in range(step // 2, _SIDE, step):
        for x in range(step // 2, _SIDE, step):
            if form == 0:
                cv2.circle(out, (x, y), reach, colour.tolist(), -1, cv2.LINE_AA)
            elif form == 1:
                cv2.rectangle(out, (x, y), (x + reach, y + reach), colour.tolist(), -1)
            else:
                cv2.drawMarker(out, (x, y), colour.tolist(), cv2.MARKER_TILTED_CROSS, 2 * reach, 2)
    return _with_face(out, rng)


def _with_face(ground: np.ndarray, rng: Rng) -> np.ndarray:
    """In half of the pictures a face stands in the middle of the ground."""
    if rng.random() < 0.5:
        return ground
    inner = cv2.resize(_face(rng), (_SIDE // 2, _SIDE // 2), interpolation=cv2.INTER_AREA)
    quarter = _SIDE // 4
    ground[quarter : quarter + _SIDE // 2, quarter : quarter + _SIDE // 2] = inner
    return ground


def _written(
    picture: np.ndarray, words: str, at: tuple[float, float], height: float, colour: Any
) -> np.ndarray:
    """`words`, their middle at shares of the width and height; the last of `colour` is alpha."""
    image = Image.fromarray(picture).convert("RGBA")
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    place = (at[0] * _SIDE, at[1] * _SIDE)
    font = ImageFont.load_default(height * _SIDE)
    edge = (0, 0, 0, colour[3] // 2)
    draw.text(place, words, colour, font, "mm", stroke_width=1, stroke_fill=edge)
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def _words(rng: Rng) -> str:
    return str(rng.choice(_WORDS))


def _watermark(rng: Rng) -> np.ndarray:
    place = (0.5, float(rng.uniform(0.3, 0.8)))
    seen = (255, 255, 255, int(rng.integers(90, 170)))
    return _written(_face(rng), _words(rng), place, float(rng.uniform(0.07, 0.12)), seen)


def _subtitle(rng: Rng) -> np.ndarray:
    colour = (255, 255, int(rng.choice([60, 255])), 255)
    place = (0.5, float(rng.uniform(0.86, 0.93)))
    return _written(_face(rng), _words(rng), place, float(rng.uniform(0.05, 0.08)), colour)


def _sign(rng: Rng) -> np.ndarray:
    """A board with words behind or beside somebody."""
    picture, top = _face(rng), int(rng.integers(5, 40))
    high = int(rng.integers(50, 80))
    ground, ink = (235, 235, 225), (20, 20, 30, 255)
    if rng.random() < 0.5:
        ground, ink = (30, 70, 140), (250, 250, 250, 255)
    cv2.rectangle(picture, (20, top), (_SIDE - 20, top + high), ground, -1)
    place = (0.5, (top + high / 2) / _SIDE)
    return _written(picture, _words(rng), place, float(rng.uniform(0.06, 0.09)), ink)


def _logo(rng: Rng) -> np.ndarray:
    """One short word in a corner."""
    word = str(rng.choice(["LIVE", "NEWS 4", "Studio", "film.tv", "@anna"]))
    place = (float(rng.choice([0.14, 0.86])), float(rng.choice([0.07, 0.93])))
    colour = (255, 255, 255, int(rng.integers(160, 256)))
    return _written(_face(rng), word, place, float(rng.uniform(0.045, 0.07)), colour)


CLEAN: dict[str, Callable[[Rng], np.ndarray]] = {
    "faces": _face,
    "stripes": _stripes,
    "bricks": _bricks,
    "patterns": _patterned,
}
TEXT: dict[str, Callable[[Rng], np.ndarray]] = {
    "watermarks": _watermark,
    "subtitles": _subtitle,
    "signs": _sign,
    "corner logos": _logo,
}


def made(each: int, seed: int) -> Iterator[tuple[str, bool, np.ndarray]]:
    """`each` pictures of every kind: kind, whether there is text, uint8 [400, 400, 3]."""
    for kind, maker in (CLEAN | TEXT).items():
        for number in range(each):
            rng = np.random.default_rng((seed, number, *kind.encode()))
            yield kind, kind in TEXT, np.ascontiguousarray(maker(rng))


def run(given: Any) -> Result:
    """Look at every picture both ways, print the table."""
    rules = load_profile(repository_root(), "paper").ingest
    bound = rules.text_area_above or 0.0
    reader = looks.opened(looks.WantedLooks((0, 1))).text
    assert reader is not None
    seen = [
        _seen(kind, text, picture, reader) for kind, text, picture in made(given.each, given.seed)
    ]
    _print(seen, bound)
    band = rules.text_second_look or (2.0, 2.0)
    ours, alone = _right(seen, band, bound), _right(seen, (2.0, 2.0), bound)
    return Result(ours / alone, GOAL, len(seen), at_most=False)


def _seen(kind: str, text: bool, picture: np.ndarray, reader: looks.Look) -> Seen:
    started = time.process_time()
    cheap = lettering.area_share(picture)
    between = time.process_time()
    read = reader(picture)
    return Seen(
        kind,
        text,
        cheap=cheap,
        cheap_seconds=between - started,
        read=read,
        read_seconds=time.process_time() - between,
    )


def _called(one: Seen, band: tuple[float, float], bound: float) -> bool:
    return (one.read if band[0] <= one.cheap <= band[1] else one.cheap) > bound


def _right(seen: list[Seen], band: tuple[float, float], bound: float) -> int:
    return sum(_called(one, band, bound) == one.text for one in seen)


def _print(seen: list[Seen], bound: float) -> None:
    kinds = list(CLEAN | TEXT)
    ways = {"the rule alone": (2.0, 2.0), "OCR alone": (0.0, 1.0)}
    ways |= {f"OCR from {low:g} to {high:g}": (low, high) for low, high in _BANDS}
    print(f"Called text, bound {bound:g}, of {len(seen) // len(kinds)} each", file=sys.stderr)
    print("", "right", "looks", "ms", *kinds, sep=" | ", file=sys.stderr)
    for name, band in ways.items():
        looked = [one for one in seen if band[0] <= one.cheap <= band[1]]
        cost = sum(one.cheap_seconds for one in seen) + sum(one.read_seconds for one in looked)
        called = [sum(_called(o, band, bound) for o in seen if o.kind == kind) for kind in kinds]
        right = f"{_right(seen, band, bound)} of {len(seen)}"
        spent = f"{1000 * cost / len(seen):.0f}"
        print(name, right, len(looked), spent, *called, sep=" | ", file=sys.stderr)
