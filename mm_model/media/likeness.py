"""A perceptual hash: what a picture or a clip looks like, in bits that survive another encoding.

The signs of the lowest frequencies of a small grey picture (a discrete cosine transform). The mean
grey is left out, so light counts for little, and mirroring flips a known half of the bits. A hash
is hex text: 16 digits of a photograph; 32 of a clip, of the mean of its frames and of how they
change over time. Bits that differ: few of copies, about half of unrelated pictures.
"""

import numpy as np

from mm_model.media.content import colour_to_grey

SIDE = 32
"""Pixels of the small picture's side."""

BITS = 64

_FLAT = 1.0  # standard deviation in grey levels below which there is nothing to be seen
_LOWEST = sorted((down + right, down, right) for down in range(12) for right in range(12))[
    1 : BITS + 1
]
_DOWN = np.array([down for _, down, _ in _LOWEST])
_RIGHT = np.array([right for _, _, right in _LOWEST])

MIRRORED = int("".join("1" if right % 2 else "0" for right in _RIGHT), 2)
"""The bits that mirroring left and right flips, as a whole number."""


class LikenessMeter:
    """Feed the pictures of a file in order, RGB uint8 [H, W, 3]; read the hash at the end."""

    def __init__(self) -> None:
        self._small: list[np.ndarray] = []

    def add(self, picture: np.ndarray) -> None:
        """Take the next frame, of any size."""
        import cv2

        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        self._small.append(colour_to_grey(small).astype(np.float16))

    @property
    def photograph(self) -> str | None:
        """The hash of the first picture, 16 hex digits; None where it is of one colour."""
        return _hash(self._small[0].astype(np.float32)) if self._small else None

    @property
    def clip(self) -> str | None:
        """The hash of all pictures, 32 hex digits; None where their mean is of one colour.

        How they change is their sum weighted by time, from -1 to 1. Two parts of one long take look
        alike, and only this tells them apart.
        """
        if not self._small:
            return None
        frames = np.stack(self._small).astype(np.float32)
        looks = _hash(frames.mean(0))
        time = np.linspace(-1, 1, len(frames), dtype=np.float32)
        return looks and looks + _signs(np.tensordot(time, frames, 1) / len(frames))


def _hash(grey: np.ndarray) -> str | None:
    return _signs(grey) if float(grey.std()) >= _FLAT else None


def _signs(grey: np.ndarray) -> str:
    import cv2

    found = cv2.dct(np.ascontiguousarray(grey, np.float32))[_DOWN, _RIGHT] > 0
    return np.packbits(found).tobytes().hex()
