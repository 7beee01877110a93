"""The face metrics of both papers, as pure functions of boxes, landmarks and embeddings.

Definitions follow the evaluation notes in docs/evaluation.md; a value that cannot be had is None,
never 0. Embeddings are unit vectors; NaN rows mark frames without a face.
"""

import numpy as np

WORST_SIMILARITY = 0.0
"""Score of a frame without a face in the penalised similarity."""


def identity_similarity(faces: np.ndarray, references: np.ndarray) -> float | None:
    """`mean_ref`: mean over frames with a face and over references of the cosine.

    `faces [T,E]` (NaN rows without a face), `references [K,E]`. None without any face or reference.
    """
    found = faces[np.isfinite(faces).all(axis=1)]
    if not len(found) or not len(references):
        return None
    return float((found @ references.T).mean())


def penalised_similarity(faces: np.ndarray, references: np.ndarray) -> float | None:
    """`identity_similarity` with every frame that shows no face scored 0 (the worst value)."""
    if not len(references) or not len(faces):
        return None
    share = face_found_rate(faces)
    value = identity_similarity(faces, references)
    return share * value + (1 - share) * WORST_SIMILARITY if value is not None else WORST_SIMILARITY


def face_found_rate(faces: np.ndarray) -> float:
    """Frames with an accepted face over frames examined."""
    return float(np.isfinite(faces).all(axis=1).mean()) if len(faces) else 0.0


def box_normalised(landmarks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Landmarks `[...,5,2]` in units of their own box `[...,4]`."""
    corner = boxes[..., None, :2]
    return (landmarks - corner) / (boxes[..., None, 2:] - corner)


def fm_ref(
    landmarks: np.ndarray,
    boxes: np.ndarray,
    reference_landmarks: np.ndarray,
    reference_boxes: np.ndarray,
) -> float | None:
    """Face motion against the reference, convention `box-sum-mean`.

    Per-landmark distance in box units, summed over the five, averaged over references and frames.
    `landmarks [T,5,2]`, `boxes [T,4]` (NaN rows without a face), references `[K,...]`.
    """
    found = np.isfinite(boxes).all(axis=1)
    if not found.any() or not len(reference_boxes):
        return None
    ours = box_normalised(landmarks[found], boxes[found])
    theirs = box_normalised(reference_landmarks, reference_boxes)
    distance = np.linalg.norm(ours[:, None] - theirs[None], axis=-1).sum(axis=-1)
    return float(distance.mean())


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes `[4]`."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    both = max(width, 0.0) * max(height, 0.0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return both / (sum(areas) - both) if both > 0 else 0.0


def fm_inter(
    landmarks: np.ndarray,
    boxes: np.ndarray,
    faces: np.ndarray,
    frame_size: tuple[int, int],
    reduction: str = "max",
) -> float | None:
    """Face motion between consecutive frames that both show a face.

    Coordinates over frame width and height, distance summed over the five landmarks, then the
    maximum over pairs (`max`) or their 95th percentile (`p95`). A pair whose boxes hardly overlap
    and whose embeddings differ is a switch of face and is left out.
    """
    height, width = frame_size
    scaled = landmarks / np.array([width, height])
    values = []
    for t in range(1, len(boxes)):
        pair = boxes[t - 1 : t + 1]
        if not np.isfinite(pair).all():
            continue
        switched = overlap(*pair) < 0.1 and float(faces[t - 1] @ faces[t]) < 0.2
        if not switched:
            values.append(np.linalg.norm(scaled[t] - scaled[t - 1], axis=-1).sum())
    if not values:
        return None
    return float(np.max(values) if reduction == "max" else np.percentile(values, 95))


def landmark_jitter(landmarks: np.ndarray, frame_size: tuple[int, int]) -> float | None:
    """Trembling: mean over frames of the landmarks' second difference, summed over the five.

    `landmarks [T,5,2]` in pixels (NaN rows without a face), lengths over frame width and height. An
    even motion has none. None when no three consecutive frames show a face.
    """
    height, width = frame_size
    scaled = landmarks / np.array([width, height])
    bends = np.linalg.norm(scaled[2:] - 2 * scaled[1:-1] + scaled[:-2], axis=-1).sum(axis=-1)
    bends = bends[np.isfinite(bends)]
    return float(bends.mean()) if len(bends) else None


def copy_paste_gap(faces: np.ndarray, *, shown: np.ndarray, withheld: np.ndarray) -> float | None:
    """Similarity to the shown references minus similarity to withheld ones of the same person.

    Frames without a face are left out. None without a face or without a reference of either kind.
    """
    ours, theirs = identity_similarity(faces, shown), identity_similarity(faces, withheld)
    return ours - theirs if ours is not None and theirs is not None else None


def centroid(faces: np.ndarray) -> np.ndarray | None:
    """Unit mean `[E]` of the rows that hold a face; None when there is none."""
    found = faces[np.isfinite(faces).all(axis=1)]
    if not len(found):
        return None
    mean = found.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def recognised(probe: np.ndarray | None, gallery: np.ndarray, own: int) -> bool:
    """Rank 1: whether the probe is nearer to its own row of `gallery [P,E]` than to any other.

    A clip without any face (None) is not recognised; neither is a tie.
    """
    if probe is None:
        return False
    cosines = gallery @ probe
    others = np.delete(cosines, own)
    return bool(np.isfinite(cosines[own]) and (cosines[own] > others).all())
