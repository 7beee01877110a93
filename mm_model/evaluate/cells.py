"""Cells (variant, person, seed): what was seen in one clip, measured against one person's gallery.

A value that cannot be had is None. Nothing is generated or averaged here.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mm_model.evaluate.looks import Look
from mm_model.evaluate.people import Subject
from mm_model.facepack.port import FacePack, unit
from mm_model.metrics import identity as metrics
from mm_model.nn.identity.portrait import Seen


@dataclass(frozen=True)
class Cell:
    """One clip of one variant: what was made and what was measured (None = not to be had)."""

    cell_id: str
    variant: str
    identity: str
    prompt: str
    seed: int
    video: str
    identity_similarity: float | None
    identity_similarity_penalised: float
    identity_shown_penalised: float
    copy_paste_gap: float | None
    rank1: float
    face_found_rate: float
    fm_ref: float | None
    fm_inter: float | None
    fm_inter_p95: float | None
    jitter: float | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Unit embeddings of a person's pictures, and where the shown face's landmarks lie."""

    shown: np.ndarray
    withheld: np.ndarray
    landmarks: np.ndarray
    boxes: np.ndarray

    @cached_property
    def centroid(self) -> np.ndarray:
        """Unit mean `[E]` of all pictures, shown and withheld; NaN when none could be embedded."""
        pictures = np.concatenate([self.shown, self.withheld])
        found = metrics.centroid(pictures)
        return found if found is not None else np.full(pictures.shape[1], np.nan)


def gallery_of(person: Subject, judge: FacePack) -> Gallery:
    """Embed the pictures of a person with the judge, at the landmarks the pipeline found."""

    def embedded(pictures: tuple[Seen, ...]) -> np.ndarray:
        return np.stack([unit(judge.embed(one.pixels, one.face)) for one in pictures])

    return Gallery(
        shown=embedded(person.shown),
        withheld=embedded(person.withheld),
        landmarks=np.stack([one.face.landmarks.astype(float) for one in person.shown]),
        boxes=np.stack([one.face.box.astype(float) for one in person.shown]),
    )


def measure(
    *,
    variant: str,
    person: Subject,
    seed: int,
    video: str,
    look: Look,
    galleries: list[Gallery],
    judged_as: int,
) -> Cell:
    """All measures of a person's clip against the gallery number `judged_as`, among all others."""
    gallery = galleries[judged_as]
    inter = {
        kind: metrics.fm_inter(look.landmarks, look.boxes, look.faces, look.size, kind)
        for kind in ("max", "p95")
    }
    everyone = np.stack([one.centroid for one in galleries])
    return Cell(
        cell_id=f"{variant}/{person.identity}/{seed}",
        variant=variant,
        identity=person.identity,
        prompt=person.prompt,
        seed=seed,
        video=video,
        identity_similarity=metrics.identity_similarity(look.faces, gallery.withheld),
        identity_similarity_penalised=metrics.penalised_similarity(look.faces, gallery.withheld)
        or 0.0,
        identity_shown_penalised=metrics.penalised_similarity(look.faces, gallery.shown) or 0.0,
        copy_paste_gap=metrics.copy_paste_gap(
            look.faces, shown=gallery.shown, withheld=gallery.withheld
        ),
        rank1=float(metrics.recognised(metrics.centroid(look.faces), everyone, judged_as)),
        face_found_rate=metrics.face_found_rate(look.faces),
        fm_ref=metrics.fm_ref(look.landmarks, look.boxes, gallery.landmarks, gallery.boxes),
        fm_inter=inter["max"],
        fm_inter_p95=inter["p95"],
        jitter=metrics.landmark_jitter(look.landmarks, look.size),
    )
