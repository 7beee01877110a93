"""A subject's photographs: read, masked, and those that cannot be used named with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.media.failure import MediaError
from mm_model.media.folder import MediaFile, media_below
from mm_model.media.images import load_image
from mm_model.store import digests
from mm_model.vcd.augment import square
from mm_model.vcd.learn import SubjectPhoto
from mm_model.vcd.masks import Everything, NoMask, Segmenter

MOST = 64
FEW = 5
"""Fewer photographs than the paper's five to ten."""


@dataclass(frozen=True)
class PhotoSet:
    """What is learned from: `names` and `sha256` of the files beside `photos`; `left_out` says of
    each other file why.
    """

    photos: tuple[SubjectPhoto, ...]
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    left_out: dict[str, str]

    def notes(self, masks: str, remedy: str) -> list[str]:
        """What a user should know before minutes of learning; `remedy` brings masks where there
        are none.
        """
        said = [f"left out: {name}, {why}" for name, why in self.left_out.items()]
        if len(self.photos) < FEW:
            said.append(
                f"{len(self.photos)} photographs are few: the method was made for five to ten"
            )
        if masks == Everything.name:
            said.append(f"no masks: the background is learned too ({remedy} keeps it out)")
        return said


def read(folder: Path, segmenter: Segmenter, covered: Callable[[str], bool]) -> PhotoSet:
    """Photographs that lie in `folder` and that `covered` (by name) allows, in order of name.

    Raises:
        UserError: none can be used, or there are more than 64.
    """
    kept: list[tuple[SubjectPhoto, str, str]] = []
    left_out: dict[str, str] = {}
    for file in media_below(folder):
        name = file.relative.as_posix()
        try:
            photo = _read(file, segmenter, covered)
        except (MediaError, NoMask) as error:
            left_out[name] = str(error)
            continue
        kept.append((photo, name, digests.of_file(file.path)))
        if len(kept) > MOST:
            raise UserError(f"{folder} holds more than {MOST} photographs: choose among them.")
    if not kept:
        first = "".join(f" ({name}: {why})" for name, why in list(left_out.items())[:1])
        raise UserError(f"{folder} holds no photograph that can be used{first}: give others.")
    photos, names, sha256 = zip(*kept, strict=True)
    return PhotoSet(photos, names, sha256, left_out)


def _read(file: MediaFile, segmenter: Segmenter, covered: Callable[[str], bool]) -> SubjectPhoto:
    if file.problem is not None:
        raise file.problem
    if file.subject is not None:
        raise NoMask("it lies in a folder of its own")
    if not covered(file.relative.as_posix()):
        raise NoMask("the consent record does not cover it")
    pixels = load_image(file.path)
    mask = segmenter.mask(file.path, pixels)
    if not mask[square(mask)].any():
        raise NoMask("the subject lies outside the centred square")
    return SubjectPhoto(pixels, mask)
