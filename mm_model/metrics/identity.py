"""Who it is: similarity to a person's pictures, rank among all, and faces found. Pure functions.

Definitions follow the evaluation notes in docs/evaluation.md; a value that cannot be had is None,
never 0. Embeddings may have any length: only their directions count. NaN rows mark frames without a
face, and so do zeros, which have no direction.
"""

import numpy as np

from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing

WORST_SIMILARITY = 0.0
"""Score of a frame without a face in the penalised similarity."""


def units(rows: np.ndarray) -> np.ndarray:
    """Every row `[N,E]` at length one; NaN where it is zero or not finite."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(np.isfinite(lengths) & (lengths > 0), lengths, np.nan)


def _seen(faces: np.ndarray) -> np.ndarray:
    """The rows that hold a face, at length one."""
    scaled = units(faces)
    return scaled[np.isfinite(scaled).all(axis=1)]


def identity_similarity(faces: np.ndarray, references: np.ndarray) -> float | None:
    """`mean_ref`: mean over frames with a face and over references of the cosine.

    `faces [T,E]` (NaN rows without a face), `references [K,E]` (NaN rows without an embedding are
    left out). None without any face or reference.
    """
    found, pictures = _seen(faces), _seen(references)
    if not len(found) or not len(pictures):
        return None
    return float((found @ pictures.T).mean())


def penalised_similarity(faces: np.ndarray, references: np.ndarray) -> float | None:
    """`identity_similarity` with every frame that shows no face scored 0 (the worst value)."""
    if not len(_seen(references)) or not len(faces):
        return None
    share = face_found_rate(faces)
    value = identity_similarity(faces, references)
    return share * value + (1 - share) * WORST_SIMILARITY if value is not None else WORST_SIMILARITY


def face_found_rate(faces: np.ndarray) -> float:
    """Frames with an accepted face over frames examined."""
    return len(_seen(faces)) / len(faces) if len(faces) else 0.0


def copy_paste_gap(faces: np.ndarray, *, shown: np.ndarray, withheld: np.ndarray) -> float | None:
    """Similarity to the shown references minus similarity to withheld ones of the same person.

    Frames without a face are left out. None without a face or without a reference of either kind.
    """
    ours, theirs = identity_similarity(faces, shown), identity_similarity(faces, withheld)
    return ours - theirs if ours is not None and theirs is not None else None


def centroid(faces: np.ndarray) -> np.ndarray | None:
    """Unit mean `[E]` of the rows that hold a face; None when there is none."""
    found = _seen(faces)
    if not len(found):
        return None
    mean = found.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def recognised(probe: np.ndarray | None, gallery: np.ndarray, own: int) -> bool:
    """Rank 1: whether the probe is nearer to its own row of `gallery [P,E]` than to any other.

    A clip without any face (None) is not recognised; neither is a tie, nor anybody in a gallery of
    one, where nothing is chosen.
    """
    if probe is None or len(gallery) < 2:
        return False
    cosines = units(gallery) @ probe
    others = np.delete(cosines, own)
    others = others[np.isfinite(others)]  # whoever has no embedding cannot be named
    return bool(np.isfinite(cosines[own]) and len(others) and (cosines[own] > others).all())


def one_person(faces: np.ndarray) -> float | None:
    """How surely the frames show one person: 10th percentile of the cosines between any two.

    `faces [T,E]`; frames without a face are left out. None with fewer than two.
    """
    found = _seen(faces)
    if len(found) < 2:
        return None
    return float(np.percentile((found @ found.T)[np.triu_indices(len(found), 1)], 10))


def _similarity(seen: Evidence) -> tuple[float | None, ...]:
    faces, gallery = seen.embeddings, seen.gallery
    return (
        identity_similarity(faces, gallery.withheld),
        penalised_similarity(faces, gallery.withheld),
        penalised_similarity(faces, gallery.shown),
        copy_paste_gap(faces, shown=gallery.shown, withheld=gallery.withheld),
    )


def _rank(seen: Evidence) -> tuple[float]:
    return (float(recognised(centroid(seen.embeddings), seen.everybody, seen.own)),)


def _found(seen: Evidence) -> tuple[float | None, ...]:
    return face_found_rate(seen.embeddings), one_person(seen.embeddings)


METRICS = (
    Formula(
        name="similarity",
        needs=needing(Evident.EMBEDDINGS, Evident.REFERENCE),
        columns=(
            Column(
                name="identity_similarity",
                meaning="mean cosine with the withheld pictures, over frames with a face",
                better="higher",
            ),
            Column(
                name="identity_similarity_penalised",
                meaning="the same, where a frame without a face counts 0",
                better="higher",
                mean="identity",
                heading="identity, withheld pictures",
                least=-1.0001,
                most=1.0001,
                always=True,
                convention="mean_ref on withheld pictures, frames without a face score 0",
            ),
            Column(
                name="identity_shown_penalised",
                meaning="mean cosine with the shown pictures; a copy scores high",
                mean="identity_shown",
                heading="identity, shown reference",
            ),
            Column(
                name="copy_paste_gap",
                meaning="similarity to the shown pictures minus that to the withheld ones",
                better="lower",
                mean="copy_paste_gap",
            ),
        ),
        of=_similarity,
    ),
    Formula(
        name="rank",
        needs=needing(Evident.EMBEDDINGS, Evident.EVERYBODY),
        columns=(
            Column(
                name="rank1",
                meaning="1 where the judge names the right one of all tested people, else 0",
                better="higher",
                mean="rank1",
                least=0,
                most=1,
            ),
        ),
        of=_rank,
    ),
    Formula(
        name="face_found",
        needs=needing(Evident.EMBEDDINGS),
        columns=(
            Column(
                name="face_found_rate",
                meaning="share of frames with a face",
                better="higher",
                mean="face_found_rate",
                heading="face found",
                least=0,
                most=1,
                always=True,
            ),
            Column(
                name="one_person",
                meaning="cosine between two frames, 10th percentile: low where another one appears",
                better="higher",
                mean="one_person",
                least=-1.0001,
                most=1.0001,
            ),
        ),
        of=_found,
    ),
)
