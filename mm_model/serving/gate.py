"""The gate in front of the pipeline: every reference is a picture that shows exactly one face.

Pictures are opened here and nowhere else in serving; what a decoder or a detector says is turned
into a sentence of our own, so that no reply carries a path or a part of a picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_model.facepack.detect import Sighting
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image
from mm_model.nn.identity.portrait import Photograph
from mm_model.records import Reason
from mm_model.serving.refusal import Code, Refusal

FindFaces = Callable[[np.ndarray], Sighting]
"""Finds faces in RGB uint8 [H, W, 3]."""

_ACCEPTED = "send a whole JPEG, PNG or WebP file with one still picture"
_WHY = {
    Reason.IO_EMPTY: "is empty",
    Reason.IO_TRUNCATED: "is cut short",
    Reason.FMT_ANIMATED: "is animated",
    Reason.FMT_TRANSPARENT: "is wholly transparent",
}
_SMALLEST_SIDE = 16


@dataclass(frozen=True, eq=False)
class AdmittedReference(Photograph):
    """An opened reference, as it is looked at.

    bystanders: number of far smaller faces that were not counted.
    """

    bystanders: int = 0


def admit(
    pictures: tuple[bytes, ...], look: FindFaces, max_pixels: int, max_aspect: float | None
) -> tuple[AdmittedReference, ...]:
    """Open every picture and find its face; far smaller faces beside it are not counted.

    `max_pixels` (width times height) and `max_aspect` are held against a picture's header, before a
    pixel is decoded. A JPEG is not decoded at a lower scale: training reads the same file whole,
    and the two would differ.

    Raises:
        Refusal: one is not a usable picture, shows no face, or shows several.
    """
    return tuple(
        _admit(content, look, max_pixels, max_aspect, number)
        for number, content in enumerate(pictures, start=1)
    )


def _admit(
    content: bytes, look: FindFaces, max_pixels: int, max_aspect: float | None, number: int
) -> AdmittedReference:
    name = f"Reference picture {number}"
    pixels = _opened(content, max_pixels, max_aspect, name)
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
    seen = Photograph.of(pixels, faces[0])
    return AdmittedReference(seen.pixels, seen.face, len(sighting.bystanders))


def _opened(content: bytes, max_pixels: int, max_aspect: float | None, name: str) -> np.ndarray:
    try:
        pixels = load_image(content, max_pixels, max_aspect)
    except MediaError as error:
        raise _refused(error.reason, name, max_pixels, max_aspect) from None
    if min(pixels.shape[:2]) < _SMALLEST_SIDE:
        raise Refusal(
            Code.NOT_A_PICTURE,
            f"{name} is smaller than {_SMALLEST_SIDE} pixels: send a larger one.",
        )
    return pixels


def _refused(reason: Reason, name: str, max_pixels: int, max_aspect: float | None) -> Refusal:
    if reason == Reason.FMT_BOMB:
        return Refusal(
            Code.PICTURE_TOO_LARGE,
            f"{name} has too many pixels: send it with at most {max_pixels} (width times height).",
        )
    if reason == Reason.FMT_STRIP:
        return Refusal(
            Code.NOT_A_PICTURE,
            f"{name} is a strip: its longer side is more than {max_aspect:g} times the shorter; "
            "crop it around the face.",
        )
    why = _WHY.get(reason, "is not a readable picture")
    return Refusal(Code.NOT_A_PICTURE, f"{name} {why}: {_ACCEPTED}.")
