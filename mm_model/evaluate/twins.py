"""The forced choice that colour cannot solve: is it the person, or a twin of the same colours?

For each tested procedural person, the person and the colour twins of the world
(`embedded/people/twins.py`) are photographed anew, all five in the same poses, places and light. A
judge names the clip by the nearest of the five; chance is one in five. No clip is made for it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.twins import TWINS, twin
from mm_model.facepack.port import Face, FacePack, unit
from mm_model.metrics.identity import centroid, recognised
from mm_model.store.atomic import Document

PHOTOGRAPHS = 4
"""Photographs of each of the five."""

_SIDE = 128
_STREAM = 0x7A11
_SUBJECT = re.compile(r"person_(\d+)")


@dataclass(frozen=True, eq=False)
class Five:
    """Photographs RGB uint8 of a person and the twins, with the true face in each; own ones first.

    The same number of each, in the same shots and poses.
    """

    photographs: tuple[tuple[tuple[np.ndarray, Face], ...], ...]

    def gallery(self, judge: FacePack) -> np.ndarray:
        """The judge's mean embedding of each of the five, unit float32 [5, E]; NaN without any."""
        rows = []
        for pictures in self.photographs:
            found = np.stack([unit(judge.embed(pixels, face)) for pixels, face in pictures])
            mean = centroid(found)
            rows.append(mean if mean is not None else np.full(judge.width, np.nan))
        return np.stack(rows)


def five(subject: str | None) -> Five | None:
    """The five of a drawn person by the name of the source's folder; None for anybody else."""
    named = _SUBJECT.fullmatch(subject or "")
    if named is None:
        return None
    who = person(int(named[1]))
    everyone = (who, *(twin(who, number) for number in range(TWINS)))
    return Five(
        tuple(
            tuple(_taken(one, who.seed, number) for number in range(PHOTOGRAPHS))
            for one in everyone
        )
    )


def _taken(one: Person, seed: int, number: int) -> tuple[np.ndarray, Face]:
    frame = photograph(one, np.random.default_rng([_STREAM, seed, number]), _SIDE)
    return frame.image, Face(frame.box.astype(np.float32), 1.0, frame.landmarks.astype(np.float32))


def choices(
    probes: Mapping[str, Sequence[Sequence[np.ndarray | None]]],
    galleries: Sequence[np.ndarray | None],
) -> Document:
    """Of each variant: people chosen right, of how many, and by chance.

    `probes`: by variant and person the centroids [E] of the clips, None where a clip shows no face;
    a person's clips share one hit, a clip without a face chooses nobody. `galleries`: [5, E] by
    person, own row first; None for a person without twins, who is left out. Empty where nobody has
    any.
    """
    found: Document = {}
    for variant, by_person in probes.items():
        shares = [
            float(np.mean([recognised(probe, gallery, 0) for probe in clips]))
            for clips, gallery in zip(by_person, galleries, strict=True)
            if gallery is not None and clips
        ]
        if shares:
            found[variant] = {
                "hits": float(sum(shares)),
                "people": len(shares),
                "chance": len(shares) / (TWINS + 1),
            }
    return found
