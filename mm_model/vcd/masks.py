"""Where a photograph shows its subject: prompt-to-segmentation behind one port.

Magic-Me names the subject's class and segments it, so that the background does not end up in the
tokens (section 4.2). The one by weights, of which none are shipped, is `grounded_sam.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from mm_model.facepack.detect import DetectionRules, chosen_faces
from mm_model.facepack.port import FacePack
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image

HEAD = (1.0, 1.35)
"""Half axes of the ellipse over those of the face's box: hair and chin belong to the subject
(choice)."""


class NoMask(Exception):
    """This photograph has no mask, and why, in words."""


class Segmenter(Protocol):
    """Says where the subject is."""

    name: str

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """`[H,W]` booleans for `pixels [H,W,3]` of the photograph at `path`.

        Raises:
            NoMask: there is none for this photograph.
        """
        ...


class Supplied:
    """Masks that somebody made: pictures of the photographs' names, light where the subject is."""

    name = "supplied"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """The mask `<folder>/<photograph's stem>.png`, at least half light."""
        place = self._folder / f"{path.stem}.png"
        if not place.is_file():
            raise NoMask(f"there is no mask {place}")
        try:
            found = load_image(place)
        except MediaError as error:
            raise NoMask(f"its mask {place} cannot be read: {error.message}") from None
        if found.shape != pixels.shape:
            sizes = [f"{wide}x{high}" for high, wide in (found.shape[:2], pixels.shape[:2])]
            raise NoMask(f"its mask {place} has {sizes[0]} pixels and not {sizes[1]}")
        inside = found.mean(axis=2) >= 128
        if not inside.any():
            raise NoMask(f"its mask {place} is dark everywhere")
        return inside


class FaceEllipse:
    """The head of a photograph's one person, as an ellipse around the detected face."""

    name = "face"

    def __init__(self, pack: FacePack, rules: DetectionRules) -> None:
        self._pack, self._rules = pack, rules

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """The ellipse; a photograph of nobody or of several has none."""
        faces = chosen_faces(self._pack, pixels, self._rules).faces
        if len(faces) != 1:
            raise NoMask(f"it shows {len(faces)} faces and not one")
        x0, y0, x1, y1 = (float(edge) for edge in faces[0].box)
        rows, columns = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
        across = (columns - (x0 + x1) / 2) / (HEAD[0] * (x1 - x0) / 2)
        down = (rows - (y0 + y1) / 2) / (HEAD[1] * (y1 - y0) / 2)
        return across**2 + down**2 <= 1


class Everything:
    """No mask at all: the paper's ablation, and what is left where nobody knows the subject."""

    name = "none"

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """True everywhere."""
        return np.ones(pixels.shape[:2], bool)


def shown(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photograph with everything outside the mask darkened, to be looked at."""
    light = np.where(mask[..., None], 1.0, 0.25)
    return np.asarray(Image.fromarray((pixels * light).astype(np.uint8)))
