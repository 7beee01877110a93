"""From a picture with a face to a training frame: one window per clip, resized.

Coordinates of boxes and landmarks follow the pixels. Pure NumPy and OpenCV.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Window:
    """A window in source pixels; it may reach over the border (see `cut`)."""

    left: int
    top: int
    width: int
    height: int


def face_window(
    boxes: np.ndarray, frame_size: tuple[int, int], *, margin: float, aspect: float
) -> Window:
    """One window for all frames: centred on the union of `boxes [F,4]`, `margin` face heights high.

    `frame_size` is (height, width) and `aspect` = width / height of the training frame. The window
    shrinks to the frame where the frame is smaller, keeping the aspect, and stays inside it.
    """
    frame_height, frame_width = frame_size
    left, top = boxes[:, 0].min(), boxes[:, 1].min()
    right, bottom = boxes[:, 2].max(), boxes[:, 3].max()
    height = max(
        margin * float((boxes[:, 3] - boxes[:, 1]).max()), bottom - top, (right - left) / aspect
    )
    height = min(height, frame_height, frame_width / aspect)
    width = height * aspect
    x = np.clip((left + right) / 2 - width / 2, 0, frame_width - width)
    y = np.clip((top + bottom) / 2 - height / 2, 0, frame_height - height)
    return Window(round(float(x)), round(float(y)), max(1, int(width)), max(1, int(height)))


def whole_window(frame_size: tuple[int, int], *, aspect: float) -> Window:
    """The smallest window of `aspect` = width / height around all of a frame (height, width)."""
    frame_height, frame_width = frame_size
    height, width = frame_height, max(frame_width, round(frame_height * aspect))
    if frame_width > frame_height * aspect:
        height, width = max(frame_height, round(frame_width / aspect)), frame_width
    return Window((frame_width - width) // 2, (frame_height - height) // 2, width, height)


def cut(
    frame: np.ndarray, window: Window, size: tuple[int, int], *, black: bool = False
) -> np.ndarray:
    """Cut `window` out of `frame [H,W,3]` and resize it to `size` = (height, width).

    Beyond the frame its edge is repeated, or with `black` there is black.
    """
    height, width = frame.shape[:2]
    rows = np.clip(np.arange(window.top, window.top + window.height), 0, height - 1)
    columns = np.clip(np.arange(window.left, window.left + window.width), 0, width - 1)
    piece = np.ascontiguousarray(frame[rows[:, None], columns[None, :]])
    shrinking = window.height > size[0]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    made = cv2.resize(piece, (size[1], size[0]), interpolation=method)
    if black:  # afterwards, or the picture's edge would bleed into it
        (left, top), (right, bottom) = np.clip(
            np.rint(into_window(np.array([(0, 0), (width, height)]), window, size)),
            0,
            (size[1], size[0]),
        ).astype(int)
        made[:top] = made[bottom:] = made[:, :left] = made[:, right:] = 0
    return made


def into_window(points: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Map pixel coordinates `points [...,2]` of the source frame into the resized window."""
    scale = np.array([size[1] / window.width, size[0] / window.height])
    return (points - np.array([window.left, window.top])) * scale
