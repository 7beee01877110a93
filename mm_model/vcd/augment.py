"""Other views of a photograph, and the words that say what became of it.

A centred square, mirrored or not, turned a little, and shown small on an empty canvas or enlarged.
The caption says so, or the tokens would learn the framing. Source: Magic-Me's published code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

MIRRORED = 0.5
TURNED = 0.7
TURN_DEGREES = 10.0
SHRUNK = 2 / 3
SMALLEST, FAR_BELOW = 1 / 3, 0.6
ENLARGED = (1.2, 1.4)
FAR = ("a far away ", "very small ")
NEAR = ("zoomed in ", "close up ")
_GREY = 127


@dataclass(frozen=True, eq=False)
class SubjectView:
    """`pixels [S,S,3]` uint8; `mask [S,S]` of the subject and `shown [S,S]` of the photograph,
    booleans; `prefix` stands before the caption.
    """

    pixels: np.ndarray
    mask: np.ndarray
    shown: np.ndarray
    prefix: str = ""


def square(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the centred square of `mask [H,W]`."""
    side = min(mask.shape)
    top, left = ((length - side) // 2 for length in mask.shape)
    return slice(top, top + side), slice(left, left + side)


def plain(pixels: np.ndarray, mask: np.ndarray, size: int) -> SubjectView:
    """The centred square of `pixels [H,W,3]` and `mask [H,W]`, at `size` pixels a side."""
    cut = square(mask)
    return SubjectView(
        _resized(pixels[cut], size), _resized(mask[cut], size), np.ones((size, size), bool)
    )


def varied(view: SubjectView, rng: np.random.Generator, reframed: float = 1.0) -> SubjectView:
    """Another view of the same photograph, by the draws of `rng`.

    A share `reframed` of the views is turned, and shown small or enlarged; others at most mirrored.
    """
    if rng.random() < MIRRORED:
        view = SubjectView(view.pixels[:, ::-1], view.mask[:, ::-1], view.shown[:, ::-1])
    if reframed < 1.0 and rng.random() >= reframed:
        return view
    if rng.random() < TURNED:
        view = _turned(view, rng.normal(0.0, TURN_DEGREES))
    if rng.random() < SHRUNK:
        return _shrunk(view, rng)
    return _enlarged(view, rng)


def _turned(view: SubjectView, degrees: float) -> SubjectView:
    def mask(array: np.ndarray) -> np.ndarray:
        return np.asarray(_image(array).rotate(degrees, Image.Resampling.NEAREST))

    pixels = _image(view.pixels).rotate(
        degrees, Image.Resampling.BILINEAR, fillcolor=(_GREY, _GREY, _GREY)
    )
    return SubjectView(np.asarray(pixels), mask(view.mask), mask(view.shown))


def _shrunk(view: SubjectView, rng: np.random.Generator) -> SubjectView:
    size = len(view.mask)
    share = rng.uniform(SMALLEST, 1.0)
    side = max(1, round(share * size))
    top, left = rng.integers(0, size - side + 1, 2)

    def placed(array: np.ndarray, canvas: int) -> np.ndarray:
        made = np.full_like(array, canvas)
        made[top : top + side, left : left + side] = _resized(array, side)
        return made

    return SubjectView(
        placed(view.pixels, _GREY),
        placed(view.mask, 0),
        placed(view.shown, 0),
        str(rng.choice(FAR)) if share < FAR_BELOW else "",
    )


def _enlarged(view: SubjectView, rng: np.random.Generator) -> SubjectView:
    size = len(view.mask)
    side = round(size * rng.uniform(*ENLARGED))
    top, left = rng.integers(0, side - size + 1, 2)

    def cut(array: np.ndarray) -> np.ndarray:
        return _resized(array, side)[top : top + size, left : left + size]

    return SubjectView(cut(view.pixels), cut(view.mask), cut(view.shown), str(rng.choice(NEAR)))


def _image(array: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(array))


def _resized(array: np.ndarray, side: int) -> np.ndarray:
    """A picture smoothly, a mask by its nearest pixels."""
    how = Image.Resampling.NEAREST if array.dtype == bool else Image.Resampling.LANCZOS
    return np.asarray(_image(array).resize((side, side), how))
