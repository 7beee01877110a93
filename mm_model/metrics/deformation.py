"""Does the face itself change, or is one picture of it moved about? Told from pixels.

A photograph that slides, turns in its plane, grows or leans has every figure of motion that a head
has. But one frame of it can be laid on another by an affine map; a mouth that opens and a head that
turns cannot. Pure functions without weights.
"""

import cv2
import numpy as np

from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing

APART = 0.25
"""Seconds between the two frames that are laid on one another."""

_SIDE = 40  # pixels of the crop
_REACH = 1.15  # its side over the box's
_OVAL = (0.38, 0.42)  # half axes of what is compared, in sides
_BLUR = 1.0
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
_SHARE = 30.0  # percentile: a clip that stands still for a third of its time does not live


def unexplained(first: np.ndarray, second: np.ndarray) -> float | None:
    """1 minus the correlation of two grey crops float32 `[S,S]`, once the second is laid on the
    first by the best affine map (enhanced correlation coefficient, Evangelidis and Psarakis 2008).

    Only an oval in the middle counts. None where no such map is found.
    """
    side = len(first)
    oval = np.zeros(first.shape, np.uint8)
    axes = (round(side * _OVAL[0]), round(side * _OVAL[1]))
    cv2.ellipse(oval, (side // 2, side // 2), axes, 0, 0, 360, 1, -1)
    one, other = (cv2.GaussianBlur(crop, (0, 0), _BLUR) for crop in (first, second))
    way = np.eye(2, 3, dtype=np.float32)
    try:
        alike, _ = cv2.findTransformECC(one, other, way, cv2.MOTION_AFFINE, _STEPS, oval, 1)
    except cv2.error:  # a crop of one brightness, or no step towards a better map
        return None
    return 1.0 - float(alike)


def deformation(frames: np.ndarray, boxes: np.ndarray, fps: int) -> float | None:
    """30th percentile of `unexplained` over all pairs of frames a quarter of a second apart.

    `frames` uint8 `[T,H,W,3]`, `boxes [T,4]` (NaN without a face). None without such a pair.
    """
    steps = max(1, round(fps * APART))
    crops = [
        _crop(frame, box) if np.isfinite(box).all() else None
        for frame, box in zip(frames, boxes, strict=True)
    ]
    found = [
        value
        for first, second in zip(crops, crops[steps:], strict=False)
        if first is not None and second is not None
        if (value := unexplained(first, second)) is not None
    ]
    return max(float(np.percentile(found, _SHARE)), 0.0) if found else None


def _crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    scale = _SIDE / (max(box[2] - box[0], box[3] - box[1], 1.0) * _REACH)
    way = np.array(
        [[scale, 0, _SIDE / 2 - x * scale], [0, scale, _SIDE / 2 - y * scale]], np.float32
    )
    return cv2.warpAffine(
        grey, way, (_SIDE, _SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def _deformed(seen: Evidence) -> tuple[float | None]:
    return (deformation(seen.frames, seen.boxes, seen.fps),)


METRICS = (
    Formula(
        name="deformation",
        needs=needing(Evident.FRAMES, Evident.FACES),
        columns=(
            Column(
                name="deformation",
                meaning="change of the face's pixels that no move, turn in the plane, zoom or "
                "leaning of a picture explains",
                mean="deformation",
                least=0,
                most=2,
                convention="1 minus the correlation after the best affine map, frames a quarter of "
                "a second apart, 30th percentile",
            ),
        ),
        of=_deformed,
    ),
)
