"""The cheap look before the full one: is there anything like a face in a sample at all?

The detector sees a few pictures at a small input size, where a face that fills the frame is easily
seen and a far one is not; so the bound that it is held to is low. Whatever that bound is, the score
is the same, and lowering it looks in full at those files alone that it lets in.
"""

import numpy as np

from mm_model.facepack.detect import STRIP, reduced
from mm_model.facepack.port import FacePack
from mm_model.faces.pictures import Pictures
from mm_model.faces.track import spread

FRAMES = 3
"""Of a clip (design choice: its first, middle and last frame; one of them is enough)."""

LOWEST = 0.05
"""Least score that is told apart from none."""


def glimpse(pack: FacePack, pictures: Pictures, size: int) -> float:
    """The best score in a few pictures at an input of `size` pixels; 0 where nothing reaches 0.05.

    Raises:
        UserError: the pack's detector takes no such size.
        mm_model.media.failure.MediaError: the file can no longer be decoded.
    """
    best = 0.0
    for _, image in pictures.at(spread(pictures.num_frames, FRAMES)):
        if max(image.shape[:2]) <= STRIP * min(image.shape[:2]):
            found = pack.detect(reduced(image)[0], LOWEST, size)
            best = max([best, *(face.score for face in found)])
    return best


def tried(pack: FacePack, size: int) -> None:
    """One look at nothing, so that a size which the pack cannot take is refused at once.

    Raises:
        UserError: it cannot.
    """
    pack.detect(np.zeros((size, size, 3), np.uint8), 0.5, size)
