"""How alike clips and photographs are: people by recognisers, objects by their looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mm_model.embedded.objects.things import Pictured
from mm_model.facepack.port import FacePack, open_judge, open_pack, unit
from mm_model.judges.shelf import Bench, open_judges
from mm_model.metrics.pixels import gradients, hsv_histogram
from mm_model.settings import Profile, load_params

_EVERY = 4
"""Frames of a clip that are asked: one in so many."""

_SAME = 0.9999
"""From which cosine on it is the very same photograph."""


class Likeness:
    """Cosines of faces with those of people who were enrolled, by several judges.

    A face is looked for by `pack`, and every judge embeds what was found.
    """

    def __init__(self, pack: FacePack, judges: Mapping[str, FacePack]) -> None:
        self.pack, self.judges = pack, dict(judges)
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
        faces = [(frame, self.pack.detect(frame)) for frame in frames]
        return [unit(self.judges[judge].embed(frame, found[0])) for frame, found in faces if found]


def shipped_judges(root: Path, profile: Profile) -> tuple[Likeness, Bench]:
    """The house's judge, who stands on the tree's shelf and the control, over faces that the
    shipped pack finds.
    """
    size = profile.faces.detection_size
    pack = open_pack(root / "weights/tiny/facepack/models/tiny", size, 1)
    house = open_judge(root / "weights/tiny/judge/models/judge", size)
    bench = open_judges(root / load_params(root).judges, house=house, used=[pack])
    return Likeness(pack, {one.name: one.pack for one in bench.judges}), bench


class ObjectLooks:
    """Colour and shape of an object as its photographs show it.

    Colour: the intersection of HSV histograms (12 x 4 x 4) of the photographs' masks and of a
    frame's pixels where most of the masks lie. Shape: the cosine of histograms of oriented
    gradients of a whole frame with the photograph that is most alike, so places count a little too.
    """

    def __init__(self, photographs: Sequence[Pictured]) -> None:
        masks = np.stack([one.mask for one in photographs])
        self._where = masks.mean(axis=0) >= 0.5
        colours = [hsv_histogram(one.image, one.mask) for one in photographs]
        self._colours = np.mean(colours, axis=0)
        pictures = [one.image for one in photographs]
        self._shapes = np.stack(
            [gradients(one) for one in pictures + [p[:, ::-1] for p in pictures]]
        )

    def of(self, frames: np.ndarray) -> dict[str, float]:
        """`colour` and `shape`, means over frames `[F,H,W,3]`, each 0 to 1."""
        colour = [
            np.minimum(hsv_histogram(one, self._where), self._colours).sum() for one in frames
        ]
        shape = [(self._shapes @ gradients(one)).max() for one in frames]
        return {"colour": float(np.mean(colour)), "shape": float(np.mean(shape))}
