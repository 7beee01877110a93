"""Contact sheets: many pictures on one, each with a small label."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

_LABEL_HEIGHT = 14
_GAP = 4
_PAPER = 250
_INK = (40, 40, 40)
_FONT_SCALE = 0.34


def contact_sheet(
    images: Sequence[np.ndarray], labels: Sequence[str], columns: int, side: int = 96
) -> np.ndarray:
    """One picture, uint8 [H, W, 3] RGB, of `images` (each uint8 [h, w, 3]) in rows of `columns`.

    Every image is fitted into a square of `side` pixels; its label stands below, cut to fit.

    Raises:
        ValueError: no image, or not one label each.
    """
    if not images or len(images) != len(labels) or columns < 1:
        raise ValueError(f"{len(images)} images, {len(labels)} labels, {columns} columns")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    wide, high = side + _GAP, side + _LABEL_HEIGHT + _GAP
    sheet = np.full((rows * high + _GAP, columns * wide + _GAP, 3), _PAPER, dtype=np.uint8)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        row, column = divmod(number, columns)
        cell = sheet[_GAP + row * high :, _GAP + column * wide :][: high - _GAP, :side]
        _place(cell, image, label, side)
    return sheet


def _place(cell: np.ndarray, image: np.ndarray, label: str, side: int) -> None:
    import cv2

    scale = side / max(image.shape[:2])
    width, height = (max(1, round(n * scale)) for n in (image.shape[1], image.shape[0]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    small = cv2.resize(image, (width, height), interpolation=method)
    top, left = (side - height) // 2, (side - width) // 2
    cell[top : top + height, left : left + width] = small
    strip = np.full((_LABEL_HEIGHT, cell.shape[1], 3), _PAPER, dtype=np.uint8)
    text = label.encode("ascii", "replace").decode()
    cv2.putText(strip, text, (0, 10), cv2.FONT_HERSHEY_SIMPLEX, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    cell[side : side + _LABEL_HEIGHT] = strip


def jpeg_bytes(image: np.ndarray, quality: int = 88) -> bytes:
    """`image` (uint8 [H, W, 3] RGB) as a JPEG file."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), options)[1].tobytes()


def picture_bytes(image: np.ndarray, quality: int) -> bytes:
    """`image` as a JPEG by Pillow, in memory: straight to a file, Pillow takes a write that a full
    disk cut short for a whole one.
    """
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(image).save(made, "JPEG", quality=quality)
    return made.getvalue()


def grid(rows: Sequence[Sequence[np.ndarray]], size: tuple[int, int], zoom: int = 1) -> np.ndarray:
    """Pictures in rows, each resized to `size` = (height, width) times `zoom`, on light ground."""
    height, width, gap = size[0] * zoom, size[1] * zoom, 4
    columns = max(len(row) for row in rows)
    sheet = np.full(
        (len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 245, np.uint8
    )
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            fitted = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
            y, x = gap + r * (height + gap), gap + c * (width + gap)
            sheet[y : y + height, x : x + width] = np.asarray(fitted)
    return sheet


def strip(clip: np.ndarray) -> np.ndarray:
    """Frames `[F,H,W,3]` side by side `[H,F*W,3]`: a page plays it by moving a background."""
    return np.concatenate(list(clip), axis=1)
