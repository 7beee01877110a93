"""Training faces of a recogniser: photographs worn and aligned as the pipeline would meet them.

A photograph is first brought to the size of a small frame, worn there, and aligned by landmarks
that err as a detector's do. A batch is a function of its generator alone.
"""

from __future__ import annotations

import cv2
import numpy as np

from mm_model.embedded.training.facepack import degrade
from mm_model.embedded.training.facepack.photo_cache import Photos
from mm_model.facepack.template import norm_crop

_FRAME_SIDES = (40, 128)  # a 64 pixel frame is the commonest in the tiny profile


def _frame(
    image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The photograph as a frame of 40 to 128 pixels, worn, with its landmarks."""
    low, high = np.log(_FRAME_SIDES)
    side = int(np.exp(rng.uniform(low, high))) if rng.random() < 0.7 else 64
    scale = side / image.shape[0]
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return degrade.wear(image, rng, float(rng.random())), landmarks * scale


def face(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One aligned training face uint8 [112, 112, 3] of a photograph uint8 [S, S, 3]."""
    image, landmarks = _frame(image, landmarks, rng)
    eyes = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    shared = rng.normal(0, 0.03, (1, 2))
    own = rng.normal(0, 0.035, (5, 2))
    aligned = norm_crop(image, landmarks + (shared + own) * max(eyes, 1.0))
    if rng.random() < 0.1:  # a hand, a microphone: one dark or bright bar
        at, length = rng.integers(0, 90, 2), rng.integers(8, 40, 2)
        aligned[at[1] : at[1] + length[1], at[0] : at[0] + length[0]] = rng.integers(0, 256, 3)
    return aligned


def batch(photos: Photos, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` faces: uint8 [N, 112, 112, 3] RGB, and the row of each one's person, int64 [N]."""
    people = rng.integers(len(photos.images), size=count)
    numbers = rng.integers(photos.images.shape[1], size=count)
    faces = [
        face(photos.images[p, k], photos.landmarks[p, k], rng)
        for p, k in zip(people, numbers, strict=True)
    ]
    return np.stack(faces), people.astype(np.int64)
