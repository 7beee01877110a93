"""Finding faces with a second chance: a tight portrait is seen once it has a border.

A detector trained on faces within scenes misses a face that fills the picture. Only when the bare
picture gives nothing is it tried with grey borders, held to a stricter score there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mm_model.eyes.pack import Face, FacePack

GREY = 128

NESTED_SHARE = 0.8
"""Share of the smaller box inside the larger from which two boxes show one face."""


class DetectionRules(Protocol):
    """The part of the `faces` section this module reads."""

    @property
    def detection_above(self) -> float: ...

    @property
    def padded_detection_above(self) -> float: ...

    @property
    def pads(self) -> tuple[float, ...]: ...


@dataclass(frozen=True, eq=False)
class Sighting:
    """Faces found in one picture, best first, in its own pixels; `pad` is the border that helped.

    `pad` is a share of the longer side: 0 when the bare picture was enough.
    """

    faces: tuple[Face, ...]
    pad: float = 0.0


def padded(image: np.ndarray, pad: float) -> tuple[np.ndarray, int]:
    """`image` with a grey border of `pad` x its longer side all round, and the border in pixels."""
    border = round(pad * max(image.shape[:2]))
    return np.pad(image, ((border, border), (border, border), (0, 0)), constant_values=GREY), border


def distinct(faces: Sequence[Face]) -> list[Face]:
    """`faces` without those that repeat a better one: boxes nested by four fifths or more.

    A detector's own suppression goes by overlap and keeps a large box around a small one.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_nested(face.box, better.box) < NESTED_SHARE for better in kept):
            kept.append(face)
    return kept


def _nested(first: np.ndarray, second: np.ndarray) -> float:
    """Shared area over that of the smaller box."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    smaller = min(float(np.prod(box[2:] - box[:2])) for box in (first, second))
    return float(np.prod(np.maximum(sides, 0))) / smaller if smaller > 0 else 1.0


def chosen_faces(pack: FacePack, image: np.ndarray, rules: DetectionRules) -> Sighting:
    """Faces of `image` (RGB uint8 [H, W, 3]) under `rules`; scores at a threshold pass.

    The bare picture first; then each border of `rules.pads` in turn until one shows a face at
    `padded_detection_above`. Coordinates are always those of the bare picture, so a box found
    with a border may reach beyond it.
    """
    faces = distinct(pack.detect(image, rules.detection_above))
    if faces:
        return Sighting(tuple(faces))
    for pad in rules.pads:
        wider, border = padded(image, pad)
        faces = distinct(pack.detect(wider, rules.padded_detection_above))
        if faces:
            return Sighting(tuple(face.moved(-border, -border) for face in faces), pad)
    return Sighting(())
