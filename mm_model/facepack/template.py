"""Where five landmarks must lie for a recogniser, and the transform that brings them there.

Pure numpy mathematics plus one OpenCV warp; knows no detector and no recogniser. Landmarks are
image-left eye, image-right eye, nose tip, image-left and image-right mouth corner, in pixels.
"""

import numpy as np

ARCFACE_112 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float64,
)
"""Landmarks in the 112 x 112 crop on which ArcFace models are trained (InsightFace)."""

_WHOLE = 4096  # longest side in pixels that is warped as it is
_REACH = 3.0  # the crop ends within 2 widths of the landmarks, however the head is turned


def arcface_template(size: int) -> np.ndarray:
    """The template for a crop of `size` pixels, float64 [5, 2].

    Multiples of 112 scale it; multiples of 128 scale it and add the 8-pixel side margin that
    InsightFace's 128-pixel models use.

    Raises:
        ValueError: a size that is a multiple of neither.
    """
    if size % 112 == 0:
        return ARCFACE_112 * (size / 112)
    if size % 128 == 0:
        ratio = size / 128
        return ARCFACE_112 * ratio + np.array([8.0 * ratio, 0.0])
    raise ValueError(f"a face crop is a multiple of 112 or 128 pixels wide, not {size}")


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rotation, uniform scale and shift with the least squared error, float64 [2, 3].

    Umeyama (1991), equations 40-42: `target ~ M[:, :2] @ source + M[:, 2]`, never a reflection.

    Raises:
        ValueError: the source points coincide, so that no scale is defined.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred_source, centred_target = source - source_mean, target - target_mean
    spread = (centred_source**2).sum() / len(source)
    if not spread > 0:
        raise ValueError("landmarks coincide: there is no face to align")
    left, values, right = np.linalg.svd(centred_target.T @ centred_source / len(source))
    sign = np.ones(2)
    if np.linalg.det(left) * np.linalg.det(right) < 0:
        sign[-1] = -1
    rotation = left @ np.diag(sign) @ right
    scale = (values * sign).sum() / spread
    linear = scale * rotation
    return np.concatenate([linear, (target_mean - linear @ source_mean)[:, None]], axis=1)


def around_face(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a large `image` that an aligned crop reads, and the landmarks within it.

    A copy of a large picture is costly, and not every OpenCV warps one with a side above 32,767
    pixels. Pictures of ordinary size are given back whole.
    """
    height, width = image.shape[:2]
    if max(height, width) <= _WHOLE:
        return image, landmarks
    low, high = landmarks.min(0), landmarks.max(0)
    reach = _REACH * max(float((high - low).max()), 1.0)
    left, right = _within(low[0] - reach, high[0] + reach, width)
    top, bottom = _within(low[1] - reach, high[1] + reach, height)
    part = image[top:bottom, left:right]
    return part, landmarks - np.array([left, top], landmarks.dtype)


def _within(low: float, high: float, most: int) -> tuple[int, int]:
    """Whole bounds inside 0 to `most`, at least one pixel apart."""
    start = min(max(0, int(low)), most - 1)
    return start, min(max(start + 1, int(high) + 1), most)


def norm_crop(image: np.ndarray, landmarks: np.ndarray, size: int = 112) -> np.ndarray:
    """The aligned crop, uint8 [size, size, 3] in the channel order of `image`; outside is black.

    Raises:
        ValueError: coinciding landmarks or an unusual size.
    """
    import cv2

    matrix = similarity_transform(landmarks, arcface_template(size))
    return cv2.warpAffine(image, matrix, (size, size), borderValue=0.0)
