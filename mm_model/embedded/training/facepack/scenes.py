"""Training scenes of the detector: photographs pasted at any size, several or none, worn and
written over, with the corners and landmarks of every face known.

A scene is a function of its generator alone. Refuses to paste a face of which little is seen.
"""

from __future__ import annotations

import cv2
import numpy as np

from mm_model.embedded.training.facepack import anchors, backdrops, degrade
from mm_model.embedded.training.facepack.detector_loss import SceneTargets
from mm_model.embedded.training.facepack.photo_cache import Photos

SIZES = (96, 128, 128, 160)
"""Sides of the training canvases in pixels; a batch has one."""

Photo = tuple[np.ndarray, np.ndarray, np.ndarray]
"""One photograph: image uint8 [S, S, 3], box [4], landmarks [5, 2]."""

_MIRROR = [1, 0, 2, 4, 3]  # eyes and mouth corners change places in a mirror
_SMALLEST, _LARGEST = 11.0, 0.85  # face side: pixels; share of the canvas


class Scene:
    """A canvas uint8 [S, S, 3] RGB and the faces pasted so far: boxes and landmarks in pixels."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.boxes: list[np.ndarray] = []
        self.landmarks: list[np.ndarray] = []


def _view(
    box: np.ndarray, cell: tuple[float, float, float, float], side: float, rng: np.random.Generator
) -> np.ndarray:
    """The similarity [2, 3] that puts a face of ``side`` pixels somewhere inside ``cell``."""
    scale = side / float(np.sqrt(np.prod(box[2:] - box[:2])))
    turn = float(rng.normal(0, 0.12))
    half = 0.46 * side
    low = np.array(cell[:2]) + half
    high = np.maximum(np.array(cell[2:]) - half, low)
    to = low + rng.random(2) * (high - low)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([rotation, (to - rotation @ (box[:2] + box[2:]) / 2)[:, None]])


def _move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _box_after(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The upright box of the same middle and sides after a similarity (small turns)."""
    middle = _move((box[:2] + box[2:]) / 2, matrix)
    half = (box[2:] - box[:2]) / 2 * np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return np.concatenate([middle - half, middle + half])


def _warp(
    image: np.ndarray, matrix: np.ndarray, size: int, edge: int
) -> tuple[np.ndarray, np.ndarray]:
    """The photograph on a canvas of ``size`` pixels, and where it covers it (bool [S, S]).

    Landmarks count from a pixel's edge, OpenCV's warp from its middle; the matrix is shifted so.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    side = image.shape[0]
    if scale < 0.7:  # averages before warping, as a real resize does; else small faces alias
        smaller = max(8, round(side * scale / 0.7))
        image = cv2.resize(image, (smaller, smaller), interpolation=cv2.INTER_AREA)
        matrix = matrix * np.array([side / smaller, side / smaller, 1.0])
    matrix = matrix.copy()
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
    full = np.full(image.shape[:2], 255, np.uint8)
    mask = cv2.warpAffine(full, matrix, (size, size), borderMode=edge) > 127
    return cv2.warpAffine(image, matrix, (size, size), borderMode=edge), mask


def _paste(
    scene: Scene,
    photo: Photo,
    cell: tuple[float, float, float, float],
    rng: np.random.Generator,
    empty: bool,
) -> None:
    """Paste one photograph into ``cell`` (left, top, right, bottom), with its face or without."""
    image, box, landmarks = photo
    if empty:
        image = backdrops.take_face_away(image, box, rng)
    room = min(cell[2] - cell[0], cell[3] - cell[1])
    largest = max(_LARGEST * room, _SMALLEST + 1)
    side = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(largest))))
    matrix = _view(box, cell, side, rng)
    edge = cv2.BORDER_REPLICATE if rng.random() < 0.3 else cv2.BORDER_CONSTANT
    warped, mask = _warp(image, matrix, scene.image.shape[0], edge)
    inside = np.zeros_like(mask)
    inside[int(cell[1]) : int(cell[3]), int(cell[0]) : int(cell[2])] = True
    scene.image = np.where((mask & inside)[..., None], warped, scene.image)
    if not empty:
        scene.boxes.append(_box_after(box, matrix))
        scene.landmarks.append(_move(landmarks, matrix))


def _cells(rng: np.random.Generator, size: int) -> list[tuple[float, float, float, float]]:
    """One, two or four areas of the canvas, each for one photograph."""
    kind = rng.random()
    if kind < 0.68:
        return [(0, 0, size, size)]
    cut = size * rng.uniform(0.38, 0.62)
    if kind < 0.84:
        return [(0, 0, cut, size), (cut, 0, size, size)]
    if kind < 0.9:
        return [(0, 0, size, cut), (0, cut, size, size)]
    return [(0, 0, cut, cut), (cut, 0, size, cut), (0, cut, cut, size), (cut, cut, size, size)]


def _mirror(scene: Scene) -> None:
    width = scene.image.shape[1]
    scene.image = scene.image[:, ::-1].copy()
    scene.boxes = [np.array([width - b[2], b[1], width - b[0], b[3]]) for b in scene.boxes]
    flip = np.array([width, 0.0])
    scene.landmarks = [(flip + mark * np.array([-1.0, 1.0]))[_MIRROR] for mark in scene.landmarks]


def _pick(photos: Photos, rng: np.random.Generator) -> Photo:
    at = (int(rng.integers(len(photos.images))), int(rng.integers(photos.images.shape[1])))
    return photos.images[at], photos.boxes[at], photos.landmarks[at]


def _whole(photo: Photo, size: int, rng: np.random.Generator, empty: bool) -> Scene:
    """The photograph as the whole scene, the commonest frame of the pipeline."""
    image, box, landmarks = photo
    if empty:
        image = backdrops.take_face_away(image, box, rng)
    scale = size / image.shape[0]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    made = Scene(cv2.resize(image, (size, size), interpolation=way))
    if not empty:
        made.boxes.append(box * scale)
        made.landmarks.append(landmarks * scale)
    return made


def scene(photos: Photos, rng: np.random.Generator, size: int) -> Scene:
    """One training scene of ``size`` pixels: two thirds hold one face or more, a third none."""
    made = Scene(backdrops.clutter(backdrops.ground(rng, size), rng, int(rng.integers(0, 8))))
    kind = rng.random()
    if kind < 0.3:
        made = _whole(_pick(photos, rng), size, rng, empty=bool(rng.random() < 0.15))
    elif kind < 0.92:
        for cell in _cells(rng, size):
            _paste(made, _pick(photos, rng), cell, rng, empty=bool(rng.random() < 0.25))
    if rng.random() < 0.5:
        _mirror(made)
    if rng.random() < 0.15:
        made.image = backdrops.write(made.image, rng)
    made.image = degrade.wear(made.image, rng, float(rng.random()) * 0.9)
    return made


def batch(photos: Photos, rng: np.random.Generator, count: int) -> tuple[np.ndarray, SceneTargets]:
    """``count`` scenes of one size: images uint8 [B, S, S, 3] RGB and what is to be found."""
    import torch

    size = int(rng.choice(SIZES))
    scenes = [scene(photos, rng, size) for _ in range(count)]
    images = np.stack([s.image for s in scenes])
    most = max(1, *(len(s.boxes) for s in scenes))
    boxes = np.zeros((count, most, 4), np.float32)
    landmarks = np.zeros((count, most, 5, 2), np.float32)
    owners = []
    for row, made in enumerate(scenes):
        for face, (box, marks) in enumerate(zip(made.boxes, made.landmarks, strict=True)):
            boxes[row, face], landmarks[row, face] = box, marks
        owners.append(anchors.assign(boxes[row, : len(made.boxes)], size, size))
    targets = SceneTargets(*map(torch.from_numpy, (np.stack(owners), boxes, landmarks)))
    return images, targets
