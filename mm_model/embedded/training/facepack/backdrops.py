"""Pictures without a face for the detector: grounds, shapes, writing, and faces taken away.

They teach where there is nothing. Refuses to draw anything with the features of a face.
"""

from __future__ import annotations

import cv2
import numpy as np

_SKIN = ((240, 205, 180), (215, 165, 130), (160, 110, 80), (95, 62, 45))


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """``count`` colours uint8 [count, 3], a quarter of them near skin."""
    skin = np.asarray(_SKIN)[rng.integers(len(_SKIN), size=count)]
    skin = np.clip(skin + rng.integers(-15, 16, (count, 3)), 0, 255)
    free = rng.integers(0, 256, (count, 3))
    return np.where(rng.random((count, 1)) < 0.25, skin, free).astype(np.uint8)


def _colour(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(v) for v in _colours(rng, 1)[0])


def ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """A plain, shaded, cloudy or black ground, uint8 [size, size, 3]."""
    kind = rng.integers(5)
    if kind == 0:
        return np.zeros((size, size, 3), np.uint8)  # InsightFace pads with black
    if kind == 1:
        return np.full((size, size, 3), _colour(rng), np.uint8)
    cells = 2 if kind == 2 else int(rng.integers(3, 17))
    coarse = _colours(rng, cells * cells).reshape(cells, cells, 3)
    way = cv2.INTER_NEAREST if kind == 4 else cv2.INTER_CUBIC
    return cv2.resize(coarse, (size, size), interpolation=way)


def clutter(image: np.ndarray, rng: np.random.Generator, most: int) -> np.ndarray:
    """Up to ``most`` random ellipses, boxes, lines and dots drawn over ``image`` (a new array)."""
    image = image.copy()
    size = image.shape[0]
    for _ in range(int(rng.integers(0, most + 1))):
        at = tuple(int(v) for v in rng.integers(0, size, 2))
        to = tuple(int(v) for v in rng.integers(0, size, 2))
        fill = -1 if rng.random() < 0.7 else int(rng.integers(1, 4))
        kind = rng.integers(4)
        if kind == 0:
            axes = tuple(int(v) for v in rng.integers(2, size // 2, 2))
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, at, axes, turn, 0, 360, _colour(rng), fill, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, at, to, _colour(rng), fill)
        elif kind == 2:
            cv2.line(image, at, to, _colour(rng), int(rng.integers(1, 6)), cv2.LINE_AA)
        else:
            cv2.circle(image, at, int(rng.integers(1, 8)), _colour(rng), fill, cv2.LINE_AA)
    return image


def write(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One or two lines of random capitals and figures, anywhere (a new array)."""
    image = image.copy()
    size = image.shape[0]
    for _ in range(int(rng.integers(1, 3))):
        text = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVXYZ0123456789 "), rng.integers(3, 14)))
        at = (int(rng.integers(-10, size // 2)), int(rng.integers(8, size)))
        scale = float(rng.uniform(0.25, 0.9)) * size / 128
        cv2.putText(
            image,
            text,
            at,
            int(rng.integers(0, 5)),
            scale,
            _colour(rng),
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
    return image


def take_face_away(image: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photograph without its face: smeared, one colour, or cut into shuffled tiles.

    ``box`` [4] are the face's corners in pixels; hair, clothes and place stay.
    """
    image = image.copy()
    height, width = image.shape[:2]
    grow = 0.12 * (box[2:] - box[:2])
    low = np.clip(box[:2] - grow, 0, (width - 2, height - 2)).astype(int)
    high = np.clip(box[2:] + grow, low + 1, (width, height)).astype(int)
    region = image[low[1] : high[1], low[0] : high[0]]
    side = max(region.shape[:2])
    kind = rng.integers(3)
    if kind == 0:
        mask = np.zeros(region.shape[:2], np.float32)
        middle = (region.shape[1] // 2, region.shape[0] // 2)
        cv2.ellipse(mask, middle, middle, 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), side * 0.04 + 0.3)[..., None]
        flat = region.reshape(-1, 3).mean(0) + rng.uniform(-12, 12, 3)
        region[:] = np.clip(region * (1 - mask) + flat * mask, 0, 255).astype(np.uint8)
    elif kind == 1:
        region[:] = cv2.GaussianBlur(region, (0, 0), side * 0.3)
    else:
        tile = max(2, side // int(rng.integers(5, 9)))
        rows, columns = region.shape[0] // tile, region.shape[1] // tile
        order = rng.permutation(rows * columns)
        old = region.copy()
        for here, there in enumerate(order):
            y, x = divmod(here, columns)
            v, u = divmod(int(there), columns)
            region[y * tile : (y + 1) * tile, x * tile : (x + 1) * tile] = old[
                v * tile : (v + 1) * tile, u * tile : (u + 1) * tile
            ]
    return image
