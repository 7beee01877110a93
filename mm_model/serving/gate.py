"""The gate in front of the pipeline: every reference is a picture that shows exactly one face.

Pictures are opened here and nowhere else in serving; what a decoder or a detector says is turned
into a sentence of our own, so that no reply carries a path or a part of a picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_model.eyes.detect import Sighting, reduced
from mm_model.eyes.pack import Face
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image
from mm_model.records import Reason
from mm_model.serving.refusal import Code, Refusal

Look = Callable[[np.ndarray], Sighting]
"""Finds faces in RGB uint8 [H, W, 3]."""

_ACCEPTED = "send a whole JPEG, PNG or WebP file with one still picture"
_WHY = {
    Reason.IO_EMPTY: "is empty",
    Reason.IO_TRUNCATED: "is cut short",
    Reason.FMT_ANIMATED: "is animated",
    Reason.FMT_BOMB: "has too many pixels",
}
_SMALLEST_SIDE = 16


@dataclass(frozen=True, eq=False)
class Reference:
    """An opened reference. pixels: RGB uint8 [H, W, 3]; face: its one face, in its pixels.

    bystanders: number of far smaller faces that were not counted. A very large picture is held
    reduced, as the detector looks at it.
    """

    pixels: np.ndarray
    face: Face
    bystanders: int = 0


def admit(
    pictures: tuple[bytes, ...], look: Look, max_pixels: int, max_aspect: float | None
) -> tuple[Reference, ...]:
    """Open every picture and find its face; far smaller faces beside it are not counted.

    Raises:
        Refusal: one is not a usable picture, shows no face, or shows several.
    """
    return tuple(
        _admit(content, look, max_pixels, max_aspect, number)
        for number, content in enumerate(pictures, start=1)
    )


def _admit(
    content: bytes, look: Look, max_pixels: int, max_aspect: float | None, number: int
) -> Reference:
    name = f"Reference picture {number}"
    try:
        pixels = load_image(content, max_pixels)
    except MediaError as error:
        why = _WHY.get(error.reason, "is not a readable picture")
        raise Refusal(Code.NOT_A_PICTURE, f"{name} {why}: {_ACCEPTED}.") from None
    if min(pixels.shape[:2]) < _SMALLEST_SIDE:
        raise Refusal(
            Code.NOT_A_PICTURE, f"{name} is smaller than {_SMALLEST_SIDE} pixels: {_ACCEPTED}."
        )
    if max_aspect and max(pixels.shape[:2]) > max_aspect * min(pixels.shape[:2]):
        raise Refusal(
            Code.NOT_A_PICTURE,
            f"{name} is a strip: its longer side is more than {max_aspect:g} times the shorter; "
            "crop it around the face.",
        )
    pixels, _ = reduced(pixels)
    sighting = look(pixels)
    faces = sighting.faces
    if not faces:
        raise Refusal(
            Code.NO_FACE, f"{name} shows no face that can be found: send one that shows the face."
        )
    if len(faces) > 1:
        raise Refusal(
            Code.MANY_FACES,
            f"{name} shows {len(faces)} faces: crop it so that it shows only the one person.",
        )
    return Reference(pixels, faces[0], len(sighting.bystanders))
