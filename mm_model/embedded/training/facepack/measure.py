"""What a finished pack can do, measured through InsightFace itself on people of no training.

Detection on whole photographs, small faces and pictures without a face; recognition on pairs of
photographs. A face that is not found counts as not found, never as a bad embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mm_model.embedded.training.facepack import backdrops
from mm_model.embedded.training.facepack.photo_cache import Photos

GALLERY = 30
"""People among whom rank-1 is counted."""


def load_pack(root: Path, name: str, det_size: int, det_thresh: float) -> Any:
    """InsightFace's ``FaceAnalysis`` on one core, with a stated detection size and threshold."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    pack = FaceAnalysis(
        name=name, root=str(root), providers=["CPUExecutionProvider"], sess_options=options
    )
    pack.prepare(-1, det_thresh=det_thresh, det_size=(det_size, det_size))
    return pack


@dataclass(frozen=True)
class PackOutput:
    """What a pack saw of P x K photographs: number of faces [P, K], best face's score [P, K],
    mean landmark error in face widths [P, K] and raw embedding [P, K, W]; NaN where no face."""

    faces: np.ndarray
    scores: np.ndarray
    errors: np.ndarray
    embeddings: np.ndarray


def look(pack: Any, photos: Photos, side: int) -> PackOutput:
    """Run ``pack`` on every photograph at ``side`` pixels."""
    from insightface.app.common import Face

    recogniser = pack.models["recognition"]
    shape = photos.images.shape[:2]
    width = int(recogniser.output_shape[-1])
    faces = np.zeros(shape, np.int64)
    scores, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    embeddings = np.full((*shape, width), np.nan, np.float32)
    scale = side / photos.images.shape[2]
    for at in np.ndindex(shape):
        image = cv2.resize(photos.images[at], (side, side), interpolation=cv2.INTER_AREA)
        image = np.ascontiguousarray(image[..., ::-1])
        boxes, landmarks = pack.det_model.detect(image)
        faces[at] = len(boxes)
        if not len(boxes):
            continue
        best = int(boxes[:, 4].argmax())
        truth, box = photos.landmarks[at] * scale, photos.boxes[at] * scale
        away = np.linalg.norm(landmarks[best] - truth, axis=1)
        scores[at], errors[at] = boxes[best, 4], away.mean() / (box[2] - box[0])
        embeddings[at] = recogniser.get(image, Face(kps=landmarks[best]))
    return PackOutput(faces, scores, errors, embeddings)


def detection_figures(seen: PackOutput) -> dict[str, float]:
    """Share of photographs with exactly one face, with none, score and landmark error."""
    return {
        "exactly_one": float((seen.faces == 1).mean()),
        "none": float((seen.faces == 0).mean()),
        "score_5_percent": float(np.nanquantile(seen.scores, 0.05)),
        "landmark_error_in_widths": float(np.nanmean(seen.errors)),
        "landmark_error_95_percent": float(np.nanquantile(seen.errors, 0.95)),
    }


def small_face_figures(pack: Any, photos: Photos, sides: tuple[int, ...]) -> dict[str, float]:
    """Share found of faces of each side in pixels, pasted into 128 pixel frames."""
    found = {}
    for side in sides:
        hits = []
        for person in range(len(photos.images)):
            rng = np.random.default_rng([side, int(photos.seeds[person])])
            box = photos.boxes[person, 0]
            whole = photos.images.shape[2]
            small = max(8, round(whole * side / float(np.sqrt(np.prod(box[2:] - box[:2])))))
            photo = cv2.resize(
                photos.images[person, 0], (small, small), interpolation=cv2.INTER_AREA
            )
            frame = np.full((128, 128, 3), rng.integers(30, 220, 3), np.uint8)
            left, top = rng.integers(0, max(1, 128 - small), 2)
            part = photo[: 128 - top, : 128 - left]
            frame[top : top + small, left : left + small] = part
            middle = (box[:2] + box[2:]) / 2 * small / whole + (left, top)
            boxes, _ = pack.det_model.detect(np.ascontiguousarray(frame[..., ::-1]))
            centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
            hits.append(bool((np.abs(centres - middle).max(axis=1) < side / 2).any()))
        found[f"found_at_{side}px"] = float(np.mean(hits))
    return found


def empty_figures(pack: Any, photos: Photos, count: int = 200) -> dict[str, float]:
    """Share of false alarms on ``count`` grounds with clutter and as many faceless photographs."""
    alarms = {"ground": 0, "faceless": 0}
    for number in range(count):
        rng = np.random.default_rng([0xE, number])
        ground = backdrops.clutter(backdrops.ground(rng, 128), rng, 12)
        row = number % len(photos.images)
        faceless = backdrops.take_face_away(photos.images[row, 1], photos.boxes[row, 1], rng)
        for name, image in (("ground", ground), ("faceless", faceless)):
            boxes, _ = pack.det_model.detect(np.ascontiguousarray(image[..., ::-1]))
            alarms[name] += bool(len(boxes))
    return {f"false_alarms_{name}": hits / count for name, hits in alarms.items()}


def recognition_figures(embeddings: np.ndarray, seeds: np.ndarray) -> dict[str, float]:
    """Verification and identification by cosine of raw embeddings [P, K, W]; NaN rows are left out.

    AUC over all pairs and over pairs of one category (seed modulo 7), equal error rate, thresholds,
    and rank-1 among ``GALLERY`` people by one gallery photograph each.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    people, count, width = embeddings.shape
    owner = np.repeat(np.arange(people), count)
    flat = embeddings.reshape(-1, width)
    good = np.isfinite(flat).all(axis=1)
    owner, flat = owner[good], flat[good]
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    cosines = unit @ unit.T
    first, second = np.triu_indices(len(unit), 1)
    same = owner[first] == owner[second]
    alike = seeds[owner[first]] % 7 == seeds[owner[second]] % 7
    values = cosines[first, second]
    false, true, thresholds = roc_curve(same, values, drop_intermediate=False)
    equal = int(np.argmin(np.abs(false - (1 - true))))
    strict = float(np.quantile(values[~same], 0.999))
    return {
        "auc": float(roc_auc_score(same, values)),
        "auc_within_category": float(roc_auc_score(same[alike], values[alike])),
        "eer": float((false[equal] + 1 - true[equal]) / 2),
        "eer_threshold": float(thresholds[equal]),
        "threshold_at_far_1e-3": strict,
        "true_accepts_at_far_1e-3": float((values[same] > strict).mean()),
        "rank1_of_30": _rank1(unit, owner, people),
        "same_mean": float(values[same].mean()),
        "same_10_percent": float(np.quantile(values[same], 0.1)),
        "different_mean": float(values[~same].mean()),
        "embedding_norm_mean": float(np.linalg.norm(flat, axis=1).mean()),
        "photographs": len(unit),
    }


def _rank1(unit: np.ndarray, owner: np.ndarray, people: int) -> float:
    hits: list[bool] = []
    for start in range(0, people - GALLERY + 1, GALLERY):
        members = [np.flatnonzero(owner == p) for p in range(start, start + GALLERY)]
        members = [rows for rows in members if len(rows)]
        gallery = unit[[rows[0] for rows in members]]
        for place, rows in enumerate(members):
            hits += list((unit[rows[1:]] @ gallery.T).argmax(axis=1) == place)
    return float(np.mean(hits)) if hits else float("nan")


def pair_threshold(figures: dict[str, float]) -> float:
    """The cosine with the role of the paper's 0.65: no more than one stranger in a thousand passes,
    and at most the weakest tenth of true pairs is lost (design choice), rounded to 0.01.
    """
    return round(max(figures["threshold_at_far_1e-3"], figures["same_10_percent"]), 2)
