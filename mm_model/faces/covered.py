"""How much of a face is covered, told from its pixels alone: no model is asked.

Whatever lies before an eye, the nose or a mouth corner (a mask, dark glasses, a hand) mostly has
less contrast there than that part of a face. Measured on made covers (`benchmarks/occlusion.py`):
docs/decisions/occlusion.md has what it tells and what it misses.
"""

import math

import numpy as np

from mm_model.facepack.port import Face
from mm_model.facepack.template import ARCFACE_112, around_face, norm_crop

_REACH = 9  # pixels around a landmark in the aligned crop of 112
_SMOOTH = 1.5  # standard deviation in pixels of the blur that takes away grain


def occlusion(image: np.ndarray, face: Face) -> float:
    """One less the least contrast around a landmark over that of the whole face, 0 to 1.

    image: RGB uint8 [height, width, 3]. Contrast is the standard deviation of the grey aligned
    crop. NaN where the landmarks coincide.
    """
    import cv2

    part, landmarks = around_face(image, face.landmarks)
    try:
        crop = norm_crop(part, landmarks)
    except ValueError:
        return math.nan
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), _SMOOTH)
    near = [
        grey[int(y) - _REACH : int(y) + _REACH + 1, int(x) - _REACH : int(x) + _REACH + 1]
        for x, y in ARCFACE_112
    ]
    whole = max(float(grey[20:108, 16:96].std()), 1e-3)
    return 1 - min(1.0, float(min(patch.std() for patch in near)) / whole)
