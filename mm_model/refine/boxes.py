"""One person's face through a clip: a crop of constant size that follows it without trembling.

Of several faces the one that fills most of the clip is followed (choice). Source: Magic-Me (arXiv
2402.09368), Face VCD: crop factor 3, boxes under 10 pixels dropped. The published workflow crops
one region for all frames; following is ours, for faces that move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_model.refine.port import FindFaces

CROP = 3.0
"""Side of the crop over the longer side of the face, as published."""

SMALLEST_CROP, LARGEST_CROP = 1.0, 10.0
"""Beyond these a crop holds no whole face, or hardly any of it (choice)."""

LEAST = 10.0
"""Shorter side of a face's box in pixels below which it is left out."""

_SMOOTH = 2.0
"""Standard deviation in frames of the filter over the centres."""

_STILL = 1.0
"""Pixels that a centre may wander before the crop follows."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """`boxes [F,4]` x1, y1, x2, y2 of one face; frames in which it was not found are filled in."""

    boxes: np.ndarray
    found: int

    @property
    def centres(self) -> np.ndarray:
        """`[F,2]` x, y."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @property
    def side(self) -> float:
        """The median of the longer sides, in pixels."""
        return float(np.median((self.boxes[:, 2:] - self.boxes[:, :2]).max(1)))


@dataclass(frozen=True, eq=False)
class CropPath:
    """`corners [F,2]` top, left of a crop of `height` x `width` pixels in each frame."""

    corners: np.ndarray
    height: int
    width: int

    def cut(self, frames: np.ndarray) -> np.ndarray:
        """`[F,height,width,3]` of `frames [F,H,W,3]`."""
        pairs = zip(frames, self.corners, strict=True)
        return np.stack([f[y : y + self.height, x : x + self.width] for f, (y, x) in pairs])


def tracked(frames: np.ndarray, find: FindFaces) -> FaceTrack | None:
    """The face to follow in `frames [F,H,W,3]`; None where over half of them show none."""
    tracks: list[dict[int, np.ndarray]] = []
    for number, frame in enumerate(frames):
        faces = [face for face in find(frame) if face.short_side >= LEAST]
        boxes = [np.asarray(face.box, float) for face in sorted(faces, key=lambda f: -f.area)]
        free = list(tracks)
        for box in boxes:
            near = _nearest(free, box)
            if near is None:
                tracks.append({number: box})
            else:
                near[number] = box
                free = [track for track in free if track is not near]
    if not tracks:
        return None
    best = max(tracks, key=lambda track: sum(_area(box) for box in track.values()))
    if 2 * len(best) < len(frames):
        return None
    known, every = sorted(best), np.arange(len(frames))
    seen = np.stack([best[number] for number in known])
    filled = np.stack([np.interp(every, known, seen[:, edge]) for edge in range(4)], axis=1)
    return FaceTrack(filled, len(best))


def crop_of(
    track: FaceTrack, frame: tuple[int, int], model: tuple[int, int], crop: float = CROP
) -> CropPath:
    """The crop around a track in frames of height and width `frame`, in the shape of `model`'s,
    `crop` times the face.
    """
    high, wide = (crop * track.side * side / min(model) for side in model)
    fit = min(1.0, frame[0] / high, frame[1] / wide)
    size = np.array([max(1, round(high * fit)), max(1, round(wide * fit))])
    size = np.minimum(size, frame)
    centres = _calm(_smooth(track.centres[:, ::-1]))
    corners = np.clip(np.round(centres - size / 2), 0, np.array(frame) - size).astype(int)
    return CropPath(corners, int(size[0]), int(size[1]))


def _nearest(tracks: Sequence[dict[int, np.ndarray]], box: np.ndarray) -> dict | None:
    """The track whose last box lies nearest, within that box's own side."""
    best, least = None, np.inf
    for track in tracks:
        last = track[max(track)]
        apart = float(np.hypot(*(box[:2] + box[2:] - last[:2] - last[2:]) / 2))
        if apart < min(least, float((last[2:] - last[:2]).max())):
            best, least = track, apart
    return best


def _area(box: np.ndarray) -> float:
    return float(np.prod(box[2:] - box[:2]))


def _smooth(centres: np.ndarray) -> np.ndarray:
    """`[F,2]` by a Gaussian over frames; beyond the ends the motion is carried on."""
    reach = min(int(3 * _SMOOTH), len(centres) - 1)
    if reach == 0:
        return centres
    ends = (2 * centres[0] - centres[reach:0:-1], 2 * centres[-1] - centres[-2 : -reach - 2 : -1])
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTH) ** 2)
    weights /= weights.sum()
    longer = np.concatenate([ends[0], centres, ends[1]])
    return np.stack([np.convolve(axis, weights, "valid") for axis in longer.T], axis=1)


def _calm(centres: np.ndarray) -> np.ndarray:
    """Centres that stay until they are left behind by more than `_STILL` pixels."""
    held, path = np.median(centres[: int(3 * _SMOOTH)], axis=0), []
    for centre in centres:
        apart = centre - held
        held = held + np.sign(apart) * np.maximum(np.abs(apart) - _STILL, 0)
        path.append(held)
    return np.stack(path)
