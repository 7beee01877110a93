"""The canvas and its strokes: antialiased polygons, lines, discs, glazes and relief.

The picture has four channels: red, green, blue and a mask of what the head's light applies to.
Relief is a second, smaller map of soft light and dark that multiplies the picture in the end.
Coordinates are draw pixels with fractions. Knows nothing of faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SHIFT = 4
_ONE = 1 << _SHIFT
_NEUTRAL = 160
Colour = Sequence[float]


def fixed(points: np.ndarray, zoom: float = 1.0) -> np.ndarray:
    """Fixed-point int32 coordinates as OpenCV's drawing functions take them."""
    # The half pixel: OpenCV counts from pixel centres, we from pixel corners.
    return (points * (zoom * _ONE) + (0.5 - 0.5 * _ONE)).astype(np.int32)


class Canvas:
    """A square picture of ``side`` draw pixels that will be shrunk to ``size``.

    pixels: uint8 [side, side, 4]. relief: uint8 [size, size].
    """

    def __init__(self, backdrop: np.ndarray, side: int, size: int) -> None:
        """``backdrop`` uint8 [h, w, 3] is stretched to the canvas."""
        rgb = cv2.resize(backdrop, (side, side), interpolation=cv2.INTER_LINEAR)
        self.side = side
        self.zoom = size / side
        self.pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
        self.pixels[..., 3] = 0
        self.relief = np.full((size, size), _NEUTRAL, np.uint8)

    def fill(self, points: np.ndarray, colour: Colour, head: bool = True) -> None:
        """Fill a polygon [N, 2]; ``head`` marks it for the head's light."""
        tone = (*colour, 255.0 if head else 0.0)
        cv2.fillPoly(self.pixels, [fixed(points)], tone, cv2.LINE_AA, _SHIFT)

    def line(
        self,
        points: np.ndarray | list[np.ndarray],
        colour: Colour,
        width: float,
        closed: bool = False,
        head: bool = True,
    ) -> None:
        """One line [N, 2] or several of one colour, ``width`` draw pixels wide (at least 1)."""
        many = points if isinstance(points, list) else [points]
        tone = (*colour, 255.0 if head else 0.0)
        thick = max(1, round(width))
        cv2.polylines(
            self.pixels, [fixed(p) for p in many], closed, tone, thick, cv2.LINE_AA, _SHIFT
        )

    def disc(
        self, centre: np.ndarray, axes: tuple[float, float], angle: float, colour: Colour
    ) -> None:
        """A filled ellipse; ``axes`` half lengths in draw pixels, ``angle`` in degrees."""
        at = (int(centre[0] * _ONE) - 8, int(centre[1] * _ONE) - 8)
        size = (max(8, int(axes[0] * _ONE)), max(8, int(axes[1] * _ONE)))
        tone = (*colour, 255.0)
        cv2.ellipse(self.pixels, at, size, angle, 0, 360, tone, -1, cv2.LINE_AA, _SHIFT)

    def glaze(self, points: np.ndarray, colour: Colour, alpha: float, soft: float = 0.0) -> None:
        """A translucent polygon; ``soft`` blurs its edge by that many draw pixels."""
        box = self._roi(points, 2 * soft + 2)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [fixed(points - (x0, y0))], 255, cv2.LINE_AA, _SHIFT)
        if soft >= 0.5:
            k = 2 * round(soft) + 1
            mask = cv2.blur(cv2.blur(mask, (k, k)), (k, k))
        under = self.pixels[y0:y1, x0:x1, :3]
        weight = mask[..., None].astype(np.float32) * np.float32(alpha / 255)
        under[...] = (under + (np.asarray(colour, np.float32) - under) * weight).astype(np.uint8)

    def light(self, points: np.ndarray, factor: float) -> None:
        """Make the region of a polygon lighter (factor > 1) or darker, with soft edges."""
        value = min(255.0, _NEUTRAL * factor)
        at = fixed(points, self.zoom)
        cv2.fillPoly(self.relief, [at], value, cv2.LINE_AA, _SHIFT)

    def finish(self, softness: float) -> tuple[np.ndarray, np.ndarray]:
        """The picture, uint8 [size, size, 4], and its relief, float32 [size, size] around 1.

        ``softness`` is the blur of the relief's edges in draw pixels.
        """
        size = self.relief.shape[0]
        small = cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)
        k = 2 * max(1, round(softness * self.zoom)) + 1
        soft = cv2.blur(self.relief, (k, k))
        if size > 80:
            soft = cv2.blur(soft, (k, k))
        return small, soft.astype(np.float32) * np.float32(1 / _NEUTRAL)

    def _roi(self, points: np.ndarray, margin: float) -> tuple[int, int, int, int] | None:
        (xa, ya), (xb, yb) = points.min(0).tolist(), points.max(0).tolist()
        x0, y0 = max(0, int(xa - margin)), max(0, int(ya - margin))
        x1, y1 = min(self.side, int(xb + margin) + 1), min(self.side, int(yb + margin) + 1)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def ellipse(centre: Sequence[float], axes: tuple[float, float]) -> np.ndarray:
    """Points [16, 2] of an axis-parallel ellipse."""
    return _CIRCLE * axes + np.asarray(centre)


_ANGLE = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLE), np.sin(_ANGLE)], axis=-1)


def shade(colour: Colour, factor: float) -> tuple[float, float, float]:
    """``colour`` made darker (factor < 1) or lighter (> 1), kept in 0..255."""
    r, g, b = colour
    return (min(255.0, r * factor), min(255.0, g * factor), min(255.0, b * factor))


def mix(a: Colour, b: Colour, t: float) -> tuple[float, float, float]:
    """Colour between ``a`` (t = 0) and ``b`` (t = 1)."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)
