"""Reference portraits as the identity encoder meets them: CLIP pixels and raw recogniser vectors.

Face crops are cut from the cached 128-pixel photographs with a margin that varies, as detector
boxes and users do; the recogniser's vectors are computed once and kept beside the cache.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.training.backbone import pixels, render
from mm_model.embedded.training.backbone.recipe import digest
from mm_model.nn.identity.align import align_faces
from mm_model.nn.identity.recognizer import recognizer_digest
from mm_model.progress import each
from mm_model.store import atomic, sealed

if TYPE_CHECKING:
    from mm_model.nn.identity.face_recognizer import FaceRecognizer

MARGIN = 1.6
"""Side of a reference crop in face heights: the middle of what training shows."""

_GREY = 127


def crop(
    image: np.ndarray,
    box: np.ndarray,
    size: int,
    margin: float = MARGIN,
    shift: tuple[float, float] | np.ndarray = (0.0, 0.0),
) -> np.ndarray:
    """uint8 [size, size, 3]: a square of `margin` face heights around the box [4].

    `shift` moves the centre, in face heights; outside the picture it is grey, as in the pipeline.
    """
    height = float(box[3] - box[1])
    side = max(8.0, margin * max(height, float(box[2] - box[0])))
    centre = (box[:2] + box[2:]) / 2 + np.asarray(shift, np.float32) * height
    zoom = size / side
    matrix = np.array(
        [[zoom, 0, size / 2 - zoom * centre[0]], [0, zoom, size / 2 - zoom * centre[1]]]
    )
    matrix[:, 2] += 0.5 * zoom - 0.5  # pixel centres
    flags = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    source = cv2.blur(image, (2, 2)) if zoom < 0.6 else image
    return cv2.warpAffine(
        source,
        matrix,
        (size, size),
        flags=flags,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(_GREY,) * 3,
    )


def clip_normalised(crops: np.ndarray) -> Tensor:
    """uint8 [N, S, S, 3] -> float32 [N, 3, S, S] with CLIP's mean and deviation."""
    values = torch.from_numpy(np.ascontiguousarray(crops)).float().div_(255).movedim(-1, 1)
    mean, std = _statistics()
    return (values - mean) / std


@lru_cache(maxsize=1)
def _statistics() -> tuple[Tensor, Tensor]:
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return mean, std


@torch.no_grad()
def embed(recognizer: FaceRecognizer, images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Raw vectors float32 [N, E] of faces in uint8 pictures [N, S, S, 3] at landmarks [N, 5, 2]."""
    aligned = align_faces(pixels.to_tensor(images), torch.from_numpy(np.array(landmarks)))
    return recognizer.embed(aligned).numpy()


def embed_cache(recognizer: FaceRecognizer, cache: Path, folder: Path) -> np.ndarray:
    """Raw vectors float32 [M, E] of the cached portraits; kept in `folder`, and made
    again when they were damaged or of other work.
    """
    frames = render.open_cache(cache)
    name = digest({"recognizer": recognizer_digest(recognizer), "cache": frames.digest})
    kept = folder / "embeddings.npy"
    if sealed.flaw(kept, name):
        images, points = frames["portraits"], frames["portraits_landmarks"]
        starts = range(0, len(images), 64)
        parts = [
            embed(recognizer, images[s : s + 64], points[s : s + 64])
            for s in each(starts, len(starts), "embed portraits")
        ]
        with atomic.written_aside(kept) as aside:
            np.save(aside, np.concatenate(parts))
        sealed.seal(kept, name)
    return np.load(kept)
