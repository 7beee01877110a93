"""dlib packs: dlib's face recogniser (128 numbers) beside its detector of frontal faces.

Files `dlib_face_recognition_resnet_model_v1.dat` and `shape_predictor_5_face_landmarks.dat` in one
folder, both CC0; the detector comes with the package `dlib`, which is an extra (`make judges`).
Threads take turns, since its networks hold their input while they run.

Alignment: the five landmarks that it is given, laid where dlib's mean face has them in a crop of
150 pixels. dlib's own landmarks within the given box name as many true clips right (21 of 21 each)
and one person fewer of 21 through the VAE, and they depend on whose detector drew the box.
Centring: dlib compares by distance, and its embeddings lie around one point, so that the cosine of
strangers is 0.91 and of one person 0.98. Seen from a fixed centre (`CENTRE`) they are 0.02 and
0.76; of 21 true clips it names 21 right either way, of the VAE's 16 instead of 14.
"""

import importlib
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.errors import UserError, first_line
from mm_model.facepack.port import DLIB_FILE, Face, pack_digest
from mm_model.facepack.template import around_face, similarity_transform
from mm_model.store import digests
from mm_model.store.atomic import Document

LANDMARKS = "shape_predictor_5_face_landmarks.dat"
FILES = (DLIB_FILE, LANDMARKS)

CROP = 150
_WIDTH = 128
_MARGIN = 0.25  # of the mean face's side, on each side: how dlib's recogniser was trained
_MEAN_FACE = np.array(
    [[0.2255, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]]
)
"""Our five landmarks in the unit square of dlib's mean face (dlib/image_transforms/interpolation.h,
its eye corners averaged)."""

_OWN_POINTS = np.array([[0.2273, 0.2214], [0.7528, 0.2212], [0.4901, 0.6278]])
"""There too: middle of the image-left and the image-right eye's corners, and under the nose, as
dlib's five points give them."""


CENTRE = np.array(
    """
    -0.075 0.039 0.084 -0.056 -0.102 -0.001 -0.060 -0.083 0.127 -0.102 0.184 -0.038 -0.207 0.003
    -0.021 0.158 -0.151 -0.106 -0.077 -0.050 0.024 0.079 0.012 0.014 -0.141 -0.300 -0.076 -0.065
    0.032 -0.093 -0.007 0.107 -0.167 0.028 0.029 0.088 -0.063 -0.093 0.181 0.017 -0.212 0.007
    0.048 0.215 0.186 -0.023 0.026 -0.083 0.084 -0.261 0.004 0.162 0.089 0.079 0.015 -0.122
    0.002 0.096 -0.190 0.043 0.066 -0.086 -0.024 -0.070 0.174 0.111 -0.134 -0.151 0.126 -0.164
    -0.057 0.085 -0.135 -0.188 -0.270 -0.002 0.344 0.100 -0.130 0.035 -0.069 -0.039 -0.002 0.102
    -0.049 -0.018 -0.033 0.075 0.227 -0.075 0.002 0.211 0.007 0.014 -0.031 0.059 -0.060 -0.020
    -0.078 0.006 -0.009 -0.062 0.025 0.136 -0.166 0.186 -0.017 -0.035 0.029 0.008 -0.083 -0.056
    0.154 -0.232 0.162 0.185 0.033 0.108 0.052 0.100 -0.018 -0.004 -0.158 -0.054 0.045 -0.015
    -0.006 0.022
    """.split(),
    np.float64,
)
"""Mean embedding of one photograph each of 60 drawn people of the training split: nobody who is
tested is among them."""


class DlibPack:
    """dlib's frontal face detector and its residual network behind the `FacePack` port."""

    def __init__(self, folder: Path, detection_size: int) -> None:
        """Load both files.

        Raises:
            UserError: the package or a file is missing, or dlib cannot read it.
        """
        self._dlib = _package(folder)
        self._size = detection_size
        self._turn = threading.Lock()
        for name in FILES:
            if not (folder / name).is_file():
                raise UserError(f"{folder} lacks {name}: 'make judges' puts dlib's files there.")
        try:
            self._recognizer = self._dlib.face_recognition_model_v1(str(folder / DLIB_FILE))
            self._points = self._dlib.shape_predictor(str(folder / LANDMARKS))
        except RuntimeError as error:
            raise UserError(
                f"{folder} cannot be read as a dlib pack ({first_line(error)}): 'make judges' puts "
                "its files there again."
            ) from None
        self._detector = self._dlib.get_frontal_face_detector()
        self._files = {name: digests.of_file(folder / name) for name in FILES}
        self._digest = pack_digest(self._files)

    @property
    def digest(self) -> str:
        """Digest over both files."""
        return self._digest

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return _WIDTH

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        """Faces with score >= `above`, best first.

        The picture is scaled so that its longer side fills the input; a face must then be about 80
        pixels high. dlib's score has no bounds and its usual threshold is 0: the logistic function
        brings it between 0 and 1. Mouth corners are those of the mean face at dlib's eyes and nose.
        """
        import cv2

        scale = (size or self._size) / max(image.shape[:2])
        sides = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        view = np.ascontiguousarray(cv2.resize(image, sides, interpolation=how))
        least = min(max(above, 1e-3), 1 - 1e-3)
        with self._turn:
            boxes, scores, _ = self._detector.run(view, 0, math.log(least / (1 - least)))
            marks = [_five_of(self._points(view, box)) for box in boxes]
        faces = [
            Face(
                np.array([box.left(), box.top(), box.right() + 1, box.bottom() + 1], np.float32),
                1 / (1 + math.exp(-score)),
                points,
            ).enlarged(1 / scale)
            for box, score, points in zip(boxes, scores, marks, strict=True)
        ]
        return sorted((face for face in faces if face.score >= above), key=lambda face: -face.score)

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Embedding of the aligned face, float32 [128], seen from `CENTRE`; not normalised."""
        crop = aligned(image, face)
        with self._turn:
            found = self._recognizer.compute_face_descriptor(crop)
        return (np.array(found, np.float64) - CENTRE).astype(np.float32)

    def describe(self) -> Document:
        """What a record must say so that figures can be compared."""
        return {
            "adapter": "dlib",
            "digest": self._digest,
            "width": _WIDTH,
            "detection_size": self._size,
            "provider": f"dlib {self._dlib.__version__}",
            "files": dict(sorted(self._files.items())),
        }


def aligned(image: np.ndarray, face: Face) -> np.ndarray:
    """The face as dlib's recogniser wants it, uint8 [150, 150, 3]; outside the picture is black."""
    import cv2

    part, landmarks = around_face(image, face.landmarks)
    target = (_MEAN_FACE + _MARGIN) / (1 + 2 * _MARGIN) * CROP
    matrix = similarity_transform(landmarks, target)
    return np.ascontiguousarray(cv2.warpAffine(part, matrix, (CROP, CROP), borderValue=0.0))


def _package(folder: Path) -> Any:
    try:
        return importlib.import_module("dlib")
    except ImportError:
        raise UserError(
            f"{folder} is a dlib pack, and the package dlib is not installed: 'make judges' "
            "installs it."
        ) from None


def _five_of(points: Any) -> np.ndarray:
    """Our five landmarks, float32 [5, 2], from dlib's: two corners an eye, and under the nose."""
    found = np.array([[points.part(n).x, points.part(n).y] for n in range(5)], np.float64)
    left, right, nose = found[2:4].mean(0), found[:2].mean(0), found[4]
    matrix = similarity_transform(_OWN_POINTS, np.stack([left, right, nose]))
    mean = _MEAN_FACE @ matrix[:, :2].T + matrix[:, 2]
    return np.stack([left, right, *mean[2:]]).astype(np.float32)
