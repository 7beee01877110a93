"""What the pictures of a clip do: how much they move, whether they cut, how much is lettering.

Classical measures on reduced frames. Each is a hint with a threshold in the profile, as good as
its measured precision says and no better; none knows what the picture shows.
"""

import hashlib

import numpy as np

from mm_model.media import cuts

REDUCED_SIDE = 160
"""Longest side, in pixels, of the frames that motion and cuts are measured on."""


class MotionMeter:
    """Feed reduced frames in order; read `motion`, `cut` and `digest` at the end.

    `motion` is the mean absolute change between neighbours (0-255), `cut` the largest distance of
    the colour histograms of two shots that are joined (0-1: `cuts.largest_cut`). Both are None
    below two frames. `digest` names all the reduced pixels.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._last: np.ndarray | None = None
        self._changes: list[float] = []
        self._histograms: list[np.ndarray] = []
        self._thumbnails: list[np.ndarray] = []

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame, uint8 [H, W, 3]."""
        self._hash.update(np.ascontiguousarray(frame).data)
        self._histograms.append(cuts.colour_histogram(frame).astype(np.float32))
        self._thumbnails.append(cuts.thumbnail(frame))
        if self._last is not None and self._last.shape == frame.shape:
            change = np.abs(frame.astype(np.int16) - self._last)
            self._changes.append(float(change.mean()))
        self._last = frame

    @property
    def motion(self) -> float | None:
        """Mean absolute change, 0-255."""
        return float(np.mean(self._changes)) if self._changes else None

    @property
    def cut(self) -> float | None:
        """Largest histogram distance of two joined shots, 0-1; 0 of a single one."""
        if not self._changes:
            return None
        return cuts.largest_cut(self._histograms, self._thumbnails)

    @property
    def digest(self) -> str:
        """Hex SHA-256 over all frames."""
        return self._hash.hexdigest()


def colour_to_grey(picture: np.ndarray) -> np.ndarray:
    """Luma of an RGB picture [..., 3] as float32 [...] (weights of ITU-R BT.601)."""
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def reduced_size(width: int, height: int, longest: int = REDUCED_SIDE) -> tuple[int, int]:
    """(width, height) shrunk to `longest`, never enlarged, at least one pixel each."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
