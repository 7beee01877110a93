"""Whether it stays one and the same person: drift, switches, and how many faces a frame shows.

Pure functions without weights. Of embeddings only directions count; NaN rows mark frames without
a face. A value that cannot be had is None, never 0.
"""

from dataclasses import dataclass

import numpy as np

from mm_model.metrics.identity import units
from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing


@dataclass(frozen=True)
class Decay:
    """Loss of similarity over a clip; negative where it grows.

    endpoint: the first value minus the last. ols: what a straight line through all values falls
    from the first frame to the last. step: mean loss a frame between the first and the last value.
    """

    endpoint: float
    ols: float
    step: float


def similarities(faces: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Mean cosine `[T]` of each frame of `faces [T,E]` with `references [K,E]`; NaN without.

    References without an embedding (NaN) are left out.
    """
    known = units(references)
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        return np.full(len(faces), np.nan)
    return (units(faces) @ known.T).mean(axis=1)


def decay(values: np.ndarray) -> Decay | None:
    """How values `[T]` (NaN where there is none) fall over a clip; None with fewer than two."""
    at = np.flatnonzero(np.isfinite(values))
    if len(at) < 2:
        return None
    found = np.asarray(values, float)[at]
    away = at - at.mean()
    slope = float((away * (found - found.mean())).sum() / (away**2).sum())
    lost = float(found[0] - found[-1])
    return Decay(lost, -slope * (len(values) - 1), lost / float(at[-1] - at[0]))


def switches(faces: np.ndarray, pictures: np.ndarray) -> float | None:
    """Share of steps between frames at which the face becomes another person's.

    A step is a switch when its two faces are less alike than any two of the person's own
    `pictures [K,E]`, which differ in pose, light and place; no threshold is chosen. Only
    neighbouring frames of `faces [T,E]` that both show a face are steps. None without a step, or
    with fewer than two different pictures.
    """
    faces, known = units(faces), units(pictures)
    known = np.unique(known[np.isfinite(known).all(axis=1)], axis=0)
    both = np.isfinite(faces).all(axis=1)
    both = both[1:] & both[:-1]
    if len(known) < 2 or not both.any():
        return None
    least = (known @ known.T)[np.triu_indices(len(known), 1)].min()
    alike = (faces[1:] * faces[:-1]).sum(axis=1)[both]
    return float((alike < least).mean())


def faces_per_frame(counts: np.ndarray) -> float | None:
    """Mean of the number of faces `[T]`; None without a frame."""
    return float(np.mean(counts)) if len(counts) else None


def _decay(seen: Evidence) -> tuple[float | None, ...]:
    found = decay(similarities(seen.embeddings, seen.gallery.withheld))
    return (found.endpoint, found.ols, found.step) if found else (None, None, None)


def _switches(seen: Evidence) -> tuple[float | None]:
    pictures = np.concatenate([seen.gallery.shown, seen.gallery.withheld])
    return (switches(seen.embeddings, pictures),)


def _counts(seen: Evidence) -> tuple[float | None]:
    return (faces_per_frame(seen.counts),)


METRICS = (
    Formula(
        name="similarity_decay",
        needs=needing(Evident.EMBEDDINGS, Evident.REFERENCE),
        columns=(
            Column(
                name="similarity_decay_endpoint",
                meaning="similarity to the withheld pictures in the first frame with a face minus "
                "that in the last",
                better="lower",
                mean="similarity_decay_endpoint",
            ),
            Column(
                name="similarity_decay",
                meaning="what a straight line through the similarities of all frames falls over "
                "the clip",
                better="lower",
                mean="similarity_decay",
                convention="least squares over frames with a face; negative where it grows",
            ),
            Column(
                name="similarity_decay_step",
                meaning="mean loss of similarity a frame, from the first face to the last",
                better="lower",
            ),
        ),
        of=_decay,
    ),
    Formula(
        name="person_switches",
        needs=needing(Evident.EMBEDDINGS, Evident.REFERENCE),
        columns=(
            Column(
                name="person_switches",
                meaning="share of steps between frames whose two faces are less alike than any two "
                "pictures of the person",
                better="lower",
                mean="person_switches",
                least=0,
                most=1,
                convention="neighbouring frames with a face; the least cosine of the person's own "
                "pictures is the bound",
            ),
        ),
        of=_switches,
    ),
    Formula(
        name="faces_per_frame",
        needs=needing(Evident.FACES),
        columns=(
            Column(
                name="faces_per_frame",
                meaning="faces found in a frame, mean over frames; 1 is meant",
                mean="faces_per_frame",
                least=0,
            ),
        ),
        of=_counts,
    ),
)
