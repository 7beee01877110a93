"""Where the face is and how the head is held: curves over a clip.

Lengths are in face heights of the clip itself and angles in degrees, so that the size of the
picture and a border around it change nothing. NaN marks frames without a face.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mm_model.decisions.pose import held

_SIDE = 40
"""Side in pixels of the patch whose rotation is followed."""

_FASTEST = 45.0
"""Degrees from frame to frame beyond which the two patches were not laid on each other at all."""

_AROUND = 1.3
"""Half that patch's side, in distances from eyes to mouth."""


@dataclass(frozen=True)
class Curves:
    """A face over the frames of a clip, each `[T]`; NaN where no face is.

    x, y: middle of the landmarks in face heights, right and down. yaw, pitch: degrees to the
    image's right and down, pitch from an origin that differs from face to face. size: logarithm of
    the face's size over the clip's own.
    """

    x: np.ndarray
    y: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    size: np.ndarray


def face_height(boxes: np.ndarray) -> float | None:
    """Median height in pixels of the boxes `[T,4]` that are there; None without any."""
    heights = (boxes[:, 3] - boxes[:, 1])[np.isfinite(boxes).all(axis=1)]
    return float(np.median(heights)) if len(heights) and np.median(heights) > 0 else None


def curves(landmarks: np.ndarray, boxes: np.ndarray) -> Curves | None:
    """Curves of `landmarks [T,5,2]` and `boxes [T,4]` in pixels; None without any face."""
    height = face_height(boxes)
    if height is None:
        return None
    found = held(landmarks)
    # Turning narrows the distance of the eyes and nodding shortens the face; of both, the greater
    # hardly changes.
    size = np.maximum(found.apart, found.long)
    return Curves(
        x=landmarks[..., 0].mean(axis=1) / height,
        y=landmarks[..., 1].mean(axis=1) / height,
        yaw=found.yaw,
        pitch=found.pitch,
        size=np.log(size / np.nanmedian(size)),
    )


def roll(frames: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Degrees `[T]` by which the face has tipped to the image's right since its first frame.

    Followed in the pixels of `frames` uint8 `[T,H,W,3]` around `landmarks [T,5,2]`, since a small
    detector's five points hardly tip with a head. NaN where no face is.
    """
    found = np.full(len(frames), np.nan)
    before, turned = None, 0.0
    for t, (frame, points) in enumerate(zip(frames, landmarks, strict=True)):
        if not np.isfinite(points).all():
            continue
        patch = _patch(frame, points)
        if before is not None:
            turned += _rotation(before, patch)
        before, found[t] = patch, turned
    return found


def _patch(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The square around a face, at one size, upright as the picture is."""
    middle = points.mean(axis=0)
    reach = max(float(np.linalg.norm(points[3:].mean(axis=0) - points[:2].mean(axis=0))), 1.0)
    zoom = _SIDE / 2 / (reach * _AROUND)
    offset = _SIDE / 2 - middle * zoom
    way = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]], np.float32)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.warpAffine(grey, way, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)


def _rotation(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees from one patch to the next; 0 where the two cannot be laid on each other."""
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    way = np.eye(2, 3, dtype=np.float32)
    try:
        _, way = cv2.findTransformECC(first, second, way, cv2.MOTION_AFFINE, until, None, 5)
    except cv2.error:  # nothing to go by, such as a patch of one colour
        return 0.0
    turned = float(np.degrees(np.arctan2(way[1, 0] - way[0, 1], way[0, 0] + way[1, 1])))
    return turned if abs(turned) <= _FASTEST else 0.0
