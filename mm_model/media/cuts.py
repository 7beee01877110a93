"""Whether the frames of a clip join two shots: by a cut, a dissolve, or through black.

Two frames are of different shots when neither their colours nor their structure agree, and one
follows the other, or what lies between is a mixture of both (a dissolve) or dark. Light that
changes keeps the structure, and so does a flash, a fade-in of one shot, or a camera that turns.
Measured against PySceneDetect: docs/decisions/shot-cuts.md.
"""

from collections.abc import Sequence

import numpy as np

_BINS = 8
_SIDE = 32
"""Side of the thumbnails on which structure is compared, in pixels."""
_SHIFT = 4
"""How far, in pixels of a thumbnail, the camera may have turned between two frames."""
_ALIKE = 0.8
"""Correlation from which two frames have the same structure."""
_GAPS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""How many frames apart two frames are compared."""
_FAINT = 0.1
"""Histogram distance up to which nothing is looked at twice: it is no cut under any bound."""
_FLAT = 4.0
"""Below this standard deviation of the grey values a frame shows nothing."""
_DARK = 0.4
"""A frame this much darker than two frames, as a share, is black between them."""
_OFF_MIXTURE = 0.35
"""How far a frame of a dissolve may lie beside the line between its ends, over their distance."""
_RELIT = 0.3
"""Histogram distance up to which two frames differ by their light alone."""
_FLASH_FRAMES = (1, 2)
_FLASH_BRIGHTER = 12.0
_FLASH_ALIKE = 0.5
_FLASH_WHITE = 200.0


def colour_histogram(frame: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 8x8x8 RGB bins: float64 [512], summing to 1."""
    step = (frame >> 5).astype(np.int32)
    index = (step[..., 0] * _BINS + step[..., 1]) * _BINS + step[..., 2]
    return np.bincount(index.ravel(), minlength=_BINS**3) / index.size


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """`frame` (uint8 [H, W, 3]) as uint8 [32, 32, 3], whatever its shape."""
    import cv2

    return cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def largest_cut(histograms: Sequence[np.ndarray], thumbnails: Sequence[np.ndarray]) -> float:
    """Largest histogram distance (half the L1, 0-1) of two frames of different shots; 0 of none.

    histograms: `colour_histogram` of each frame in order; thumbnails: `thumbnail` of each.
    """
    film = _Film(np.asarray(histograms, np.float32), np.asarray(thumbnails, np.float32))
    shown = film.without_flashes()
    pairs = [
        (distance, gap, start)
        for gap in _GAPS
        for start, distance in enumerate(film.unlike(shown, gap))
        if distance > _FAINT
    ]
    for distance, gap, start in sorted(pairs, reverse=True):
        if film.joins(shown[start : start + gap + 1]):
            return float(distance)
    return 0.0


class _Film:
    """All frames: colours [T, 512], and structure by their thumbnails [T, 32, 32, 3]."""

    def __init__(self, colours: np.ndarray, thumbnails: np.ndarray) -> None:
        self._colours, self._thumbnails = colours, thumbnails
        self._grey = thumbnails.mean(axis=-1)
        self._level = self._grey.mean(axis=(1, 2))
        self._shows = self._grey.std(axis=(1, 2)) >= _FLAT
        inner = self._grey[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT].reshape(len(colours), -1)
        inner = inner - inner.mean(axis=1, keepdims=True)
        self._unit = inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-6)

    def without_flashes(self) -> np.ndarray:
        """Numbers of the frames that are no flash, in order."""
        flashes: set[int] = set()
        for length in _FLASH_FRAMES:
            for first in range(1, len(self._level) - length):
                if self._is_flash(first, length):
                    flashes.update(range(first, first + length))
        return np.array([n for n in range(len(self._level)) if n not in flashes])

    def _is_flash(self, first: int, length: int) -> bool:
        """Whether the same picture goes on behind `length` brighter frames of it."""
        before, after = first - 1, first + length
        lit = self._level[first:after]
        if lit.min() <= max(self._level[before], self._level[after]) + _FLASH_BRIGHTER:
            return False
        return self._structure(before, after) >= _ALIKE and all(
            self._level[frame] >= _FLASH_WHITE or self._structure(before, frame) >= _FLASH_ALIKE
            for frame in range(first, after)
        )

    def unlike(self, shown: np.ndarray, gap: int) -> np.ndarray:
        """For each pair of `shown` frames so far apart: distance of their colours.

        It is 0 where one shows nothing, or a first look sees one structure in both.
        """
        first, second = shown[:-gap], shown[gap:]
        distance = 0.5 * np.abs(self._colours[first] - self._colours[second]).sum(axis=1)
        alike = (self._unit[first] * self._unit[second]).sum(axis=1) >= _ALIKE
        return np.where(self._shows[first] & self._shows[second] & ~alike, distance, 0.0)

    def joins(self, frames: np.ndarray) -> bool:
        """Whether the first and the last of `frames` are of different shots, and how they lie."""
        first, last = int(frames[0]), int(frames[-1])
        if self._structure(first, last) >= _ALIKE:
            return False
        between = frames[1:-1]
        if len(between) == 0:
            return True
        if self._relit(first, last) < _RELIT:
            return False
        ends = min(self._level[first], self._level[last])
        return self._level[between].min() < _DARK * ends or self._mixed(first, last, between)

    def _relit(self, first: int, last: int) -> float:
        """Distance of the colours once one frame is lit as the other: mean and spread the same."""
        one, other = self._thumbnails[first], self._thumbnails[last]
        if self._level[first] < self._level[last]:
            one, other = other, one
        spread = other.std(axis=(0, 1)) / np.maximum(one.std(axis=(0, 1)), 1e-3)
        lit = (one - one.mean(axis=(0, 1))) * spread + other.mean(axis=(0, 1))
        mine, theirs = (
            colour_histogram(np.clip(frame, 0, 255).astype(np.uint8)) for frame in (lit, other)
        )
        return 0.5 * float(np.abs(mine - theirs).sum())

    def _mixed(self, first: int, last: int, between: np.ndarray) -> bool:
        """Whether the frames between go from one to the other as mixtures of both."""
        start = self._thumbnails[first].ravel()
        way = self._thumbnails[last].ravel() - start
        steps = self._thumbnails[between].reshape(len(between), -1) - start
        length = float(way @ way)
        along = steps @ way / length
        off = np.linalg.norm(steps - along[:, None] * way, axis=1) / np.sqrt(length)
        return bool(off.max() <= _OFF_MIXTURE and np.diff(along).min(initial=0) >= -0.05)

    def _structure(self, first: int, second: int) -> float:
        """Correlation of the grey thumbnails where they fit best, the camera turned a little."""
        import cv2

        inner = self._grey[first][_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
        fits = cv2.matchTemplate(self._grey[second], inner, cv2.TM_CCOEFF_NORMED)
        return float(fits.max())
