"""How it moves: landmarks against the reference and from frame to frame. Pure functions.

Definitions follow the evaluation notes in docs/evaluation.md; a value that cannot be had is None,
never 0. NaN rows mark frames without a face.
"""

import numpy as np

from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing


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


def _from_reference(seen: Evidence) -> tuple[float | None]:
    gallery = seen.gallery
    return (fm_ref(seen.landmarks, seen.boxes, gallery.landmarks, gallery.boxes),)


def _from_frame_to_frame(seen: Evidence) -> tuple[float | None, ...]:
    return tuple(
        fm_inter(seen.landmarks, seen.boxes, seen.embeddings, seen.size, reduction)
        for reduction in ("max", "p95")
    )


METRICS = (
    Formula(
        name="from_reference",
        needs=needing(Evident.FACES, Evident.REFERENCE),
        columns=(
            Column(
                name="fm_ref",
                meaning="distance of the landmarks from the reference's, in face boxes",
                mean="fm_ref",
                heading="FM_ref",
                convention="box-sum-mean",
            ),
        ),
        of=_from_reference,
    ),
    Formula(
        name="from_frame_to_frame",
        needs=needing(Evident.FACES, Evident.EMBEDDINGS),
        columns=(
            Column(
                name="fm_inter",
                meaning="largest distance of the landmarks between frames, in frame sizes",
                mean="fm_inter",
                heading="FM_inter",
                convention="frame-sum-max, consecutive frames with a face",
            ),
            Column(
                name="fm_inter_p95",
                meaning="its 95th percentile over the frames",
                mean="fm_inter_p95",
            ),
        ),
        of=_from_frame_to_frame,
    ),
)
