"""How alike clips and photographs are: people by recognisers, objects by their looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from mm_model.embedded.objects.things import Pictured
from mm_model.facepack.port import FacePack, unit

_EVERY = 4
"""Frames of a clip that are asked: one in so many."""

_SAME = 0.9999
"""From which cosine on it is the very same photograph."""

_BINS = (12, 4, 4)
_RANGES = (0, 180, 0, 256, 0, 256)
_CELL, _WAYS = 8, 9
"""Pixels a side of a cell of gradients, and their directions."""


class Likeness:
    """Cosines of faces with those of people who were enrolled, by several judges.

    A face is looked for by `pack`, and every judge embeds what was found.
    """

    def __init__(self, pack: FacePack, judges: Mapping[str, FacePack]) -> None:
        self._pack, self.judges = pack, dict(judges)
        self._known: dict[str, dict[str, list[np.ndarray]]] = {}

    def enrol(self, people: Mapping[int, Sequence[np.ndarray]]) -> None:
        """Take over photographs `[S,S,3]` of people, by their seeds."""
        for judge in self.judges:
            self._known[judge] = {
                str(seed): self._embedded(judge, found) for seed, found in people.items()
            }

    def of(self, clips: Sequence[np.ndarray]) -> dict[str, dict[str, float | None]]:
        """Mean cosine of clips `[F,H,W,3]` with each of the people, by judge.

        None where no face is found. A photograph is not compared with itself.
        """
        frames = [frame for clip in clips for frame in clip[:: _EVERY if len(clip) > _EVERY else 1]]
        return {judge: self._cosines(judge, frames) for judge in self.judges}

    def _cosines(self, judge: str, frames: Sequence[np.ndarray]) -> dict[str, float | None]:
        found = self._embedded(judge, frames)
        means: dict[str, float | None] = {}
        for who, known in self._known[judge].items():
            cosines = [float(a @ b) for a in found for b in known]
            cosines = [one for one in cosines if one < _SAME and np.isfinite(one)]
            means[who] = float(np.mean(cosines)) if cosines else None
        return means

    def _embedded(self, judge: str, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        faces = [(frame, self._pack.detect(frame)) for frame in frames]
        return [unit(self.judges[judge].embed(frame, found[0])) for frame, found in faces if found]


class ObjectLooks:
    """Colour and shape of an object as its photographs show it.

    Colour: the intersection of HSV histograms (12 x 4 x 4) of the photographs' masks and of a
    frame's pixels where most of the masks lie. Shape: the cosine of histograms of oriented
    gradients of a whole frame with the photograph that is most alike, so places count a little too.
    """

    def __init__(self, photographs: Sequence[Pictured]) -> None:
        masks = np.stack([one.mask for one in photographs])
        self._where = masks.mean(axis=0) >= 0.5
        colours = [_colours(one.image, one.mask) for one in photographs]
        self._colours = np.mean(colours, axis=0)
        pictures = [one.image for one in photographs]
        self._shapes = np.stack([_shape(one) for one in pictures + [p[:, ::-1] for p in pictures]])

    def of(self, frames: np.ndarray) -> dict[str, float]:
        """`colour` and `shape`, means over frames `[F,H,W,3]`, each 0 to 1."""
        colour = [np.minimum(_colours(one, self._where), self._colours).sum() for one in frames]
        shape = [(self._shapes @ _shape(one)).max() for one in frames]
        return {"colour": float(np.mean(colour)), "shape": float(np.mean(shape))}


def _colours(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], mask.astype(np.uint8), _BINS, _RANGES)
    return counts / max(float(counts.sum()), 1.0)


def _shape(image: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of the cells of a picture, of length one together."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, across = np.gradient(cv2.GaussianBlur(grey, (0, 0), 1.0))
    strength = np.hypot(down, across)
    way = (np.arctan2(down, across) % np.pi / np.pi * _WAYS).astype(int) % _WAYS
    rows, columns = (np.arange(length) // _CELL for length in grey.shape)
    wide = int(columns[-1]) + 1
    cells = (rows[:, None] * wide + columns) * _WAYS + way
    found = np.bincount(cells.ravel(), strength.ravel(), (int(rows[-1]) + 1) * wide * _WAYS)
    found = np.sqrt(found)  # a hard edge of the ground does not outweigh all others
    return found / max(float(np.linalg.norm(found)), 1e-9)
