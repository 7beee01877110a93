"""The control: who somebody is, told by the mean colours of skin and hair and by nothing else.

It has no weights and sees no shape. What it names right, colour alone gives away. Light is taken as
it is: a darker picture is a darker person.
"""

import cv2
import numpy as np

from mm_model.facepack.port import Face
from mm_model.store import digests
from mm_model.store.atomic import Document

FORMULA = "Lab means of two cheeks and of the hair above the forehead, centred and scaled, 1"
"""Its version: another formula has another text, and so another digest."""

SKIN = tuple((side * x, y) for side in (-1, 1) for x in (0.26, 0.36, 0.46) for y in (0.36, 0.48))
"""Where skin is looked for: right and down from between the eyes, in distances from there to
between the mouth's corners. Between eyes and mouth, beside the nose: glasses and beards end there.
"""

HAIR = tuple((x, -y) for x in (-0.40, -0.20, 0.0, 0.20, 0.40) for y in (1.12, 1.24, 1.36))
"""Where hair is looked for: a band below the crown; the scalp of somebody bald."""

CENTRE = np.array([145.0, 140.0, 149.0, 130.0, 138.0, 146.0], np.float32)
SCALE = np.array([37.0, 4.0, 6.5, 49.0, 8.0, 14.0], np.float32)
"""Usual values and their spread: L, a, b (0 to 255, OpenCV's) of skin, then of hair, as
measured on 840 pictures of drawn people of the training split."""


class ColourJudge:
    """Colours behind the `FacePack` protocol; it finds no face itself."""

    @property
    def digest(self) -> str:
        """Digest of the formula's version."""
        return digests.of_value([FORMULA, SKIN, HAIR, CENTRE.tolist(), SCALE.tolist()])

    @property
    def width(self) -> int:
        """Three numbers for the skin, three for the hair."""
        return len(CENTRE)

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        """Nothing: it looks where others found a face."""
        return []

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Colours of the face in `image` RGB uint8 `[H,W,3]`, float32 `[6]`.

        NaN where its landmarks are not finite or leave no length to measure in.
        """
        points = np.asarray(face.landmarks, np.float64)
        eyes, mouth = points[:2].mean(0), points[3:].mean(0)
        down = mouth - eyes
        if not np.isfinite(points).all() or np.linalg.norm(down) < 1:
            return np.full(self.width, np.nan, np.float32)
        right = np.array([down[1], -down[0]])
        colours = [_mean(image, eyes, right, down, where) for where in (SKIN, HAIR)]
        return (np.concatenate(colours) - CENTRE) / SCALE

    def describe(self) -> Document:
        """JSON-able record."""
        return {
            "adapter": "colour",
            "digest": self.digest,
            "width": self.width,
            "formula": FORMULA,
        }


def _mean(
    image: np.ndarray,
    origin: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    where: tuple[tuple[float, float], ...],
) -> np.ndarray:
    """Mean Lab `[3]` of pixels around the places `where`; the picture's edge stands for beyond."""
    reach = 0.05 * float(np.linalg.norm(down))
    around = [(x * reach, y * reach) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    spots = np.array([origin + x * right + y * down for x, y in where])
    pixels = (spots[:, None] + np.array(around)[None]).reshape(-1, 1, 2).astype(np.float32)
    colours = cv2.remap(
        image,
        pixels[..., 0],
        pixels[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    return lab.mean(axis=0)
