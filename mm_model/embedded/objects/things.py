"""What a drawn object is, and one picture of it with its true mask.

A cup has a form, a colour, a pattern and a handle; a toy animal has ears, a tail, a colour and a
pattern. All follow from one seed. Same arguments, same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mm_model.embedded.people.backdrop import backdrop
from mm_model.embedded.people.brush import Canvas, mix, shade
from mm_model.embedded.people.shot import Rgb, ShotSetup, shot

SMALLEST = 32
FORMS = {"cup": ("straight", "tapered", "round"), "toy": ("pointed", "round", "long")}
"""Of a cup's body, and of a toy animal's ears."""
PATTERNS = ("plain", "stripes", "dots", "band")
COLOURS: tuple[Rgb, ...] = (
    (196, 52, 46),
    (42, 92, 178),
    (232, 178, 46),
    (54, 140, 88),
    (140, 74, 160),
    (232, 226, 214),
    (222, 124, 56),
    (66, 66, 74),
)
_STREAM = 0x0B
_ZOOM = 3


@dataclass(frozen=True)
class Thing:
    """One object. `kind` is cup or toy, `form` one of its `FORMS`; `colours`: body and pattern."""

    seed: int
    kind: str
    form: str
    pattern: str
    colours: tuple[Rgb, Rgb]


@dataclass(frozen=True)
class ThingView:
    """How it is held before the camera.

    height: share of the frame's. turn: degrees. mirrored: the handle, or the head, on the left.
    offset: shares of the frame to the right and down.
    """

    height: float = 0.6
    turn: float = 0.0
    mirrored: bool = False
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Pictured:
    """`image [S,S,3]` uint8 RGB and `mask [S,S]`, True where the object is."""

    image: np.ndarray
    mask: np.ndarray


def thing(kind: str, seed: int) -> Thing:
    """The cup or the toy animal of `seed`.

    Raises:
        ValueError: another kind.
    """
    if kind not in FORMS:
        raise ValueError(f"{kind!r} is not drawn here; choose one of {', '.join(FORMS)}")
    rng = np.random.default_rng([_STREAM, sorted(FORMS).index(kind), seed])
    body, second = rng.choice(len(COLOURS), 2, replace=False)
    form, pattern = str(rng.choice(FORMS[kind])), str(rng.choice(PATTERNS))
    return Thing(seed, kind, form, pattern, (COLOURS[body], COLOURS[second]))


def photograph(
    what: Thing, rng: np.random.Generator, size: int, place: ShotSetup | None = None
) -> Pictured:
    """One picture in a random light and view; before the background of `place`, or a random one."""
    view = ThingView(
        height=float(rng.uniform(0.5, 0.72)),
        turn=float(rng.normal(0, 6)),
        mirrored=bool(rng.random() < 0.5),
        offset=(float(rng.uniform(-0.06, 0.06)), float(rng.uniform(-0.05, 0.05))),
    )
    setup = shot(rng)
    return render(what, setup if place is None else before(setup, place), view, size)


def before(setup: ShotSetup, place: ShotSetup) -> ShotSetup:
    """The light and camera of `setup` before the background of `place`."""
    return replace(
        setup,
        background=place.background,
        background_colours=place.background_colours,
        background_seed=place.background_seed,
    )


def render(what: Thing, setup: ShotSetup, view: ThingView, size: int) -> Pictured:
    """Draw the object in a place of the people's world; its light is the shot's.

    Raises:
        ValueError: a size below 32 pixels.
    """
    if size < SMALLEST:
        raise ValueError(f"a picture is at least {SMALLEST} pixels wide, not {size}")
    canvas = Canvas(backdrop(setup), size * _ZOOM, size)
    {"cup": _cup, "toy": _toy}[what.kind](_Brush(canvas, view), what)
    small, _ = canvas.finish(1.0)
    mask = small[..., 3] >= 128
    return Pictured(_lit(small[..., :3].astype(np.float32), mask, setup), mask)


def _lit(albedo: np.ndarray, mask: np.ndarray, setup: ShotSetup) -> np.ndarray:
    """The picture uint8 under the shot's light: brighter on its side, tinted, with some noise."""
    size = len(mask)
    across = np.linspace(-1, 1, size, dtype=np.float32)
    slope = setup.light[0] * across[None, :] + setup.light[1] * across[:, None]
    shading = np.where(mask, 1.0 + 0.45 * setup.contrast * slope, 1.0)
    gains = np.asarray(setup.tint, np.float32) * setup.exposure
    noise = np.random.default_rng([_STREAM, setup.noise_seed]).standard_normal((size, size, 3))
    found = albedo * shading[..., None] * gains + noise * setup.noise
    return np.clip(found + 0.5, 0, 255).astype(np.uint8)


class _Brush:
    """Draws in the object's own units: 1 is half its height, (0, 0) its middle."""

    def __init__(self, canvas: Canvas, view: ThingView) -> None:
        self._canvas = canvas
        self.unit = canvas.side * view.height / 2
        angle = np.radians(view.turn)
        turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self._way = np.diag([-1.0 if view.mirrored else 1.0, 1.0]) @ turned * self.unit
        self._middle = (0.5 + np.asarray(view.offset)) * canvas.side

    def points(self, points: np.ndarray) -> np.ndarray:
        """Draw pixels `[N,2]` of places `[N,2]`."""
        return np.asarray(points, np.float64) @ self._way + self._middle

    def fill(self, points: np.ndarray, colour: tuple[float, ...]) -> None:
        """A filled polygon."""
        self._canvas.fill(self.points(points), colour)

    def ring(self, points: np.ndarray, colour: tuple[float, ...], width: float) -> None:
        """An open line of some width in the object's units."""
        self._canvas.line(self.points(points), colour, width * self.unit)

    def patterned(
        self, points: np.ndarray, colour: tuple[float, ...], paint: Callable[[], None]
    ) -> None:
        """A filled polygon with what `paint` draws on it alone."""
        self.fill(points, colour)
        before = self._canvas.pixels.copy()
        paint()
        stencil = np.zeros(before.shape[:2], np.uint8)
        cv2.fillPoly(stencil, [self.points(points).astype(np.int32)], 1)
        pixels = self._canvas.pixels
        pixels[stencil == 0] = before[stencil == 0]


def _oval(
    x: float, y: float, wide: float, high: float, arc: tuple[float, float] = (0, 2)
) -> np.ndarray:
    """Points `[40,2]` of an ellipse, or of an arc of it in half turns."""
    angle = np.linspace(arc[0] * np.pi, arc[1] * np.pi, 40)
    return np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], axis=1)


def _pattern(brush: _Brush, what: Thing, low: float, high: float) -> Callable[[], None]:
    """Draws the object's pattern between two heights, wider than it is."""
    colour = what.colours[1]

    def bar(x0: float, y0: float, x1: float, y1: float) -> None:
        brush.fill(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), colour)

    def paint() -> None:
        span = high - low
        if what.pattern == "stripes":
            for x in np.arange(-1.4, 1.4, 0.4):
                bar(x, low, x + 0.18, high)
        elif what.pattern == "dots":
            for row, y in enumerate(np.linspace(low + 0.2 * span, high - 0.15 * span, 3)):
                for x in np.arange(-1.2, 1.3, 0.48):
                    brush.fill(_oval(x + 0.24 * (row % 2), y, 0.13, 0.13), colour)
        elif what.pattern == "band":
            bar(-1.5, low + 0.38 * span, 1.5, low + 0.7 * span)

    return paint


def _cup(brush: _Brush, what: Thing) -> None:
    body, dark = what.colours[0], shade(what.colours[0], 0.7)
    brush.ring(_oval(0.62, 0.02, 0.48, 0.46, (-0.55, 0.55)), dark, 0.17)
    foot = {"straight": 0.74, "tapered": 0.46, "round": 0.42}[what.form]
    if what.form == "round":
        y = np.linspace(-0.85, 0.95, 20)
        half = (
            0.74
            - (0.74 - foot) * np.clip((y - 0.1) / 0.85, 0, 1) ** 2
            + 0.1 * np.sin((y + 0.85) * 1.6)
        )
    else:
        y = np.array([-0.85, 0.95])
        half = np.array([0.74, foot])
    right, left = np.stack([half, y], axis=1), np.stack([-half, y], axis=1)[::-1]
    outline = np.concatenate([right, left])
    brush.patterned(outline, body, _pattern(brush, what, -0.6, 0.95))
    brush.fill(_oval(0, -0.85, 0.74, 0.17), mix(body, (255, 255, 255), 0.25))
    brush.fill(_oval(0, -0.83, 0.62, 0.11), shade(body, 0.45))


def _toy(brush: _Brush, what: Thing) -> None:
    """A standing animal, its head on the right."""
    body, dark = what.colours[0], shade(what.colours[0], 0.7)
    brush.ring(np.array([[-0.75, 0.0], [-1.0, -0.25], [-1.02, -0.6]]), dark, 0.16)
    for x, colour in ((-0.55, dark), (0.35, dark), (-0.7, body), (0.5, body)):
        brush.fill(np.array([[x, 0.3], [x + 0.24, 0.3], [x + 0.24, 0.98], [x, 0.98]]), colour)
    brush.patterned(_oval(-0.1, 0.15, 0.82, 0.45), body, _pattern(brush, what, -0.3, 0.6))
    for x in (0.42, 0.82):
        if what.form == "pointed":
            ear = np.array([[x - 0.17, -0.6], [x, -1.0], [x + 0.17, -0.6]])
        elif what.form == "round":
            ear = _oval(x, -0.75, 0.18, 0.18)
        else:
            ear = _oval(x, -0.75, 0.1, 0.25)
        brush.fill(ear, dark)
    brush.fill(_oval(0.62, -0.38, 0.43, 0.38), body)
    brush.fill(_oval(0.92, -0.24, 0.22, 0.17), mix(body, (255, 255, 255), 0.4))
    brush.fill(_oval(1.04, -0.3, 0.07, 0.06), (30, 28, 30))
    brush.fill(_oval(0.66, -0.48, 0.08, 0.09), (250, 250, 250))
    brush.fill(_oval(0.68, -0.48, 0.05, 0.06), (30, 28, 30))
