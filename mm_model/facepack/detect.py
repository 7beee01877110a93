"""Finding faces with a second chance: a tight portrait is seen once it has a border.

A detector trained on faces within scenes misses a face that fills the picture. Only when the bare
picture gives nothing is it tried with grey borders, held to a stricter score there. The work is
bounded: large pictures are reduced first, and strips that can show no face are not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mm_model.facepack.port import Face, FacePack

GREY = 128

NESTED_SHARE = 0.8
"""Share of the smaller box inside the larger from which two boxes show one face."""

LONGEST_LOOKED_AT = 4096
"""Longest side in pixels that is shown to a detector: far above its own input, and it bounds the
memory of the borders (design choice)."""

STRIP = 64.0
"""Longer side over shorter side from which a picture is too thin for a face: it would be ten pixels
high in a detector's input of 640."""

NEAR_MISS = 0.3
"""Least score that is remembered of what was not taken for a face (design choice)."""


class DetectionRules(Protocol):
    """The part of the `faces` section this module reads."""

    @property
    def detection_above(self) -> float: ...

    @property
    def padded_detection_above(self) -> float: ...

    @property
    def pads(self) -> tuple[float, ...]: ...

    @property
    def bystander_below(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Sighting:
    """What one picture shows, in its own pixels.

    faces: those that count, best first. bystanders: faces too small beside the largest one to
    count. `pad` is the border that helped, as a share of the longer side (0 when the bare picture
    was enough). missed: without any face, score and threshold of what came nearest to being one.
    """

    faces: tuple[Face, ...]
    bystanders: tuple[Face, ...] = ()
    pad: float = 0.0
    missed: tuple[float, float] | None = None

    @property
    def every_face(self) -> int:
        """Number of faces, bystanders included."""
        return len(self.faces) + len(self.bystanders)


def reduced(image: np.ndarray, longest: float = LONGEST_LOOKED_AT) -> tuple[np.ndarray, float]:
    """`image` with at most `longest` pixels a side, and the factor that leads back to its own.

    The one rule for the size at which a picture is looked at: by detectors, and where a reference
    portrait is cut.
    """
    import cv2

    height, width = image.shape[:2]
    factor = max(height, width) / longest
    if factor <= 1:
        return image, 1.0
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


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


def without_bystanders(
    faces: Sequence[Face], below: float, main: Face | None = None
) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
    """Faces that count, and those whose side is under `below` of the main one's.

    `main` is the largest face unless another is given.
    """
    if len(faces) < 2:
        return tuple(faces), ()
    main = main or _largest(faces)
    least = below * main.short_side
    return (
        tuple(face for face in faces if face.short_side >= least),
        tuple(face for face in faces if face.short_side < least),
    )


def chosen_faces(pack: FacePack, image: np.ndarray, rules: DetectionRules) -> Sighting:
    """Faces of `image` (RGB uint8 [H, W, 3]) under `rules`; scores at a threshold pass.

    The bare picture first; then each border of `rules.pads` in turn until one shows a face at
    `padded_detection_above`. Where the bare picture shows small faces only, one look with the
    widest border makes sure that they do not stand beside one that fills the picture. Coordinates
    are always those of `image`, so a box found with a border may reach beyond it. A strip is not
    looked at.
    """
    if max(image.shape[:2]) > STRIP * min(image.shape[:2]):
        return Sighting(())
    view, factor = reduced(image)
    faces, missed = _seen(pack, view, 0.0, rules.detection_above)
    pads = list(rules.pads)
    pad = 0.0
    if faces and pads and _largest(faces).short_side < rules.bystander_below * min(view.shape[:2]):
        wider, _ = _seen(pack, view, max(pads), rules.padded_detection_above)
        if (
            wider
            and _largest(faces).short_side < rules.bystander_below * _largest(wider).short_side
        ):
            faces, pad = wider, max(pads)
    while not faces and pads:
        pad = pads.pop(0)
        faces, near = _seen(pack, view, pad, rules.padded_detection_above)
        missed = max(missed, near, key=lambda miss: miss[0] - miss[1])
    if not faces:
        return Sighting((), missed=missed if missed[0] > 0 else None)
    own = [face.enlarged(factor) for face in faces]
    return Sighting(*without_bystanders(own, rules.bystander_below), pad=pad)


def _seen(
    pack: FacePack, view: np.ndarray, pad: float, above: float
) -> tuple[list[Face], tuple[float, float]]:
    """Faces at `above` in `view` with a border, in pixels of `view`; best score, and `above`."""
    wider, border = padded(view, pad) if pad else (view, 0)
    found = pack.detect(wider, min(above, NEAR_MISS))
    faces = distinct([face for face in found if face.score >= above])
    best = max((face.score for face in found), default=0.0)
    return [face.moved(-border, -border) for face in faces], (best, above)


def _largest(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda face: face.area)
