"""Reference pictures to model inputs: portraits, their CLIP pixels and aligned faces.

The face detector stays outside: faces come with the pictures or from a callable. A picture without
a face is refused by name, never skipped, and never shown whole by default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.nn.identity.align import align_faces
from mm_model.nn.identity.portrait import Photograph, portrait

Detect = Callable[[np.ndarray], Face | None]
"""Finds the one face of a picture, uint8 [H,W,3] RGB and upright, in its pixels."""


@dataclass(frozen=True)
class IdentityInput:
    """R references of one subject, ready for the identity encoder.

    `pixels [R,3,S,S]` CLIP-normalised; `aligned [R,3,112,112]` RGB in [-1,1] or None when the raw
    recogniser vectors `embedding [R,E]` are given instead.
    """

    pixels: Tensor
    aligned: Tensor | None = None
    embedding: Tensor | None = None

    def __post_init__(self) -> None:
        if self.aligned is None and self.embedding is None:
            raise UserError(
                "A reference needs its aligned face or its raw embedding; give one of them."
            )
        for name, dims in (("pixels", 4), ("aligned", 4), ("embedding", 2)):
            given = getattr(self, name)
            if given is None:
                continue
            if not isinstance(given, Tensor) or given.dim() != dims:
                what = list(given.shape) if hasattr(given, "shape") else type(given).__name__
                raise UserError(
                    f"{name} of an IdentityInput is {what}; give a tensor of {dims} dimensions, "
                    "of which the first counts the references."
                )
            if len(given) != len(self.pixels):
                raise UserError(
                    f"An IdentityInput has pixels of {len(self.pixels)} references, but {name} of "
                    f"{len(given)}; give one for each."
                )

    def __len__(self) -> int:
        return len(self.pixels)


@cache
def _clip_processor(size: int) -> Any:
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    )


def clip_pixels(image: Image, size: int) -> Tensor:
    """Shorter side to `size`, centre crop, CLIP mean and deviation: `[3,size,size]`.

    As PhotoMaker prepares its pictures (transformers' `CLIPImageProcessor`).
    """
    found = _clip_processor(size)(image.convert("RGB"), return_tensors="pt")
    return found["pixel_values"][0]


def aligned_face(image: Image, landmarks: np.ndarray | Tensor) -> Tensor:
    """Face cut from a picture by five landmarks (pixels): `[3,112,112]` in [-1,1]."""
    array = torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32).copy())
    pixels = (array / 127.5 - 1.0).permute(2, 0, 1)[None]
    points = torch.as_tensor(landmarks, dtype=torch.float64).reshape(1, 5, 2)
    return align_faces(pixels, points)[0]


def prepare_references(
    pictures: Sequence[np.ndarray | Image],
    faces: Sequence[Face | None] | None,
    margin: float | None,
    image_size: int = 224,
    detect: Detect | None = None,
) -> IdentityInput:
    """References of one subject: the portrait of each picture, as the encoder takes it.

    `faces` lie in the pixels of the upright `pictures` (uint8 [H,W,3], or a PIL picture, which is
    turned as its EXIF data say); without them `detect` finds them. `margin` is the adapter's. Equal
    pixels, faces and margin give equal inputs.

    Raises `UserError` when there is no picture, when neither faces nor a detector is given, or when
    a picture shows no face.
    """
    if not pictures:
        raise UserError("No reference picture was given; give one to four pictures of one person.")
    _check_faces(faces, detect, len(pictures))
    pixels, aligned = [], []
    for index, picture in enumerate(pictures):
        upright = _upright(picture)
        face = faces[index] if faces is not None else detect(upright) if detect else None
        if face is None:
            raise UserError(
                f"No face was found in reference picture {index + 1} of {len(pictures)}; "
                "give a clear picture of one face."
            )
        if not isinstance(face, Face):
            raise UserError(
                f"The face of reference picture {index + 1} is {type(face).__name__}; give one "
                "mm_model.facepack.port.Face (box, score, landmarks) for each picture."
            )
        cut = portrait(upright, face, margin)
        pixels.append(clip_pixels(cut.image, image_size))
        aligned.append(aligned_face(cut.image, cut.landmarks))
    return IdentityInput(torch.stack(pixels), torch.stack(aligned))


def _check_faces(faces: Any, detect: Any, pictures: int) -> None:
    """Raise `UserError` unless there is a face, or somebody who finds it, for each picture."""
    if faces is None and detect is None:
        raise UserError(
            "Reference pictures need their faces: pass faces or a detector (detect=...)."
        )
    if faces is None and not callable(detect):
        raise UserError(
            f"detect is {type(detect).__name__}; give a function that finds the face of a picture."
        )
    if faces is not None:
        _check_nested(faces)
        if len(faces) != pictures:
            raise UserError(f"{pictures} reference pictures, but faces for {len(faces)}.")


def _check_nested(faces: Any) -> None:
    if not isinstance(faces, list | tuple):
        raise UserError(
            f"faces holds {type(faces).__name__} where a list belongs; nest them as the pictures "
            "are: one face for each picture of each subject."
        )


def subjects_of(
    references: Any,
    faces: Any,
    margin: float | None,
    image_size: int,
    detect: Detect | None,
) -> list[IdentityInput]:
    """Subjects from a picture, a list of pictures (one subject), a list of such lists (one subject
    a row), or `IdentityInput`s; `faces` are nested alike. Raises as `prepare_references` does.
    """
    if not isinstance(references, list | tuple):
        references = [references]
        faces = None if faces is None else [faces]
    if not references:
        raise UserError("No reference picture was given; give one to four pictures of one person.")
    if isinstance(references[0], IdentityInput):
        return [_ready(one, image_size) for one in references]
    if not isinstance(references[0], list | tuple):
        return [prepare_references(references, faces, margin, image_size, detect)]
    if faces is not None:
        _check_nested(faces)
    rows = faces or [None] * len(references)
    if len(rows) != len(references):
        raise UserError(f"{len(references)} subjects, but faces for {len(rows)}.")
    return [
        prepare_references(pictures, row, margin, image_size, detect)
        for pictures, row in zip(references, rows, strict=True)
    ]


def _ready(one: Any, image_size: int) -> IdentityInput:
    """An input that was made before, where it fits an encoder of `image_size`."""
    if not isinstance(one, IdentityInput):
        raise UserError(
            f"reference_images mixes IdentityInput with {type(one).__name__}; give either of them."
        )
    if one.pixels.shape[-1] != image_size:
        raise UserError(
            f"An IdentityInput has pixels of {one.pixels.shape[-1]}, but this identity encoder "
            f"sees {image_size}: make it with prepare_references for that size."
        )
    return one


def inputs_of(seen: Sequence[Photograph], margin: float | None, image_size: int) -> IdentityInput:
    """`prepare_references` of pictures that were looked at before."""
    pictures, faces = [one.pixels for one in seen], [one.face for one in seen]
    return prepare_references(pictures, faces, margin, image_size)


def _upright(picture: np.ndarray | Image) -> np.ndarray:
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise UserError(
                f"A reference picture is uint8 [H, W, 3], not {picture.dtype} "
                f"{list(picture.shape)}: load it with mm_model.media.images.load_image."
            )
        return picture
    from PIL import ImageOps

    if not isinstance(picture, Image):
        raise UserError(
            f"A reference picture is a PIL picture or a uint8 array [H, W, 3], not "
            f"{type(picture).__name__}: load it with mm_model.media.images.load_image."
        )
    return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def batch_references(
    subjects: Sequence[IdentityInput], embed: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Pad subjects to the same number of references: pixels `[B,R,...]`, raw `[B,R,E]`, mask
    `[B,R]`.

    `embed` maps aligned faces to raw vectors where a subject brings none.
    """
    most = max(len(subject) for subject in subjects)
    pixels, raw, mask = [], [], torch.zeros(len(subjects), most, dtype=torch.bool)
    for row, subject in enumerate(subjects):
        vectors = subject.embedding if subject.embedding is not None else embed(subject.aligned)
        pad = most - len(subject)
        pixels.append(
            torch.cat([subject.pixels, subject.pixels.new_zeros(pad, *subject.pixels.shape[1:])])
        )
        raw.append(torch.cat([vectors, vectors.new_zeros(pad, vectors.shape[1])]))
        mask[row, : len(subject)] = True
    return torch.stack(pixels), torch.stack(raw), mask
