"""OpenCV packs: the YuNet detector and the SFace recogniser of OpenCV's model zoo.

Files `face_detection_yunet*.onnx` and `face_recognition_sface*.onnx` in one folder. OpenCV's
thread count is global to the process; this adapter sets it. Its two networks hold their input
while they run, so threads take turns here. Refuses a folder with only one half.
"""

import threading
from pathlib import Path

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.port import Face, pack_digest
from mm_model.facepack.template import around_face
from mm_model.store import digests
from mm_model.store.atomic import Document

_NMS_OVERLAP = 0.3  # OpenCV's default for this detector
_MOST_CANDIDATES = 5000
_LOWEST_SCORE = 0.05


class OpenCVPack:
    """OpenCV's FaceDetectorYN and FaceRecognizerSF behind the `FacePack` port."""

    def __init__(self, folder: Path, detection_size: int, threads: int) -> None:
        """Load both halves.

        Raises:
            UserError: one half is missing or OpenCV cannot read it.
        """
        import cv2

        cv2.setNumThreads(threads)
        self._turn = threading.Lock()
        self._size = detection_size
        detector = _only(folder, "face_detection_yunet*.onnx")
        recognizer = _only(folder, "face_recognition_sface*.onnx")
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(detector),
                "",
                (detection_size, detection_size),
                _LOWEST_SCORE,
                _NMS_OVERLAP,
                _MOST_CANDIDATES,
            )
            self._recognizer = cv2.FaceRecognizerSF.create(str(recognizer), "")
            self._width = int(self._recognizer.feature(np.zeros((112, 112, 3), np.uint8)).size)
        except cv2.error as error:
            raise UserError(
                f"{folder} cannot be read as an OpenCV face pack ({str(error).strip()[-120:]}): "
                "fetch its two files again."
            ) from None
        self._files = {path.name: digests.of_file(path) for path in (detector, recognizer)}
        self._digest = pack_digest(self._files)

    @property
    def digest(self) -> str:
        """Digest over both files."""
        return self._digest

    @property
    def width(self) -> int:
        """Length of an embedding (128 for SFace)."""
        return self._width

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        """Faces with score >= `above`, best first.

        The picture is scaled so that its longer side fills the input, then padded with black at
        the right or the bottom, as InsightFace's detectors do: one size, one meaning.
        """
        side = size or self._size
        boxed, scale = _letterboxed(image, side)
        with self._turn:
            self._detector.setInputSize((side, side))
            self._detector.setScoreThreshold(max(above, _LOWEST_SCORE))
            _, rows = self._detector.detect(np.ascontiguousarray(boxed[..., ::-1]))
        faces = [_face_of(row / scale, float(row[14])) for row in (() if rows is None else rows)]
        return sorted((face for face in faces if face.score >= above), key=lambda face: -face.score)

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Raw embedding of the aligned face, float32 [width]."""
        part, landmarks = around_face(image, face.landmarks)
        shift = (landmarks - face.landmarks)[0]
        with self._turn:
            crop = self._recognizer.alignCrop(
                np.ascontiguousarray(part[..., ::-1]), _row_of(face.moved(*shift))[None]
            )
            return np.array(self._recognizer.feature(crop), np.float32).reshape(-1)

    def describe(self) -> Document:
        """What a record must say so that figures can be compared."""
        return {
            "adapter": "opencv",
            "digest": self._digest,
            "width": self._width,
            "detection_size": self._size,
            "provider": "OpenCV DNN",
            "files": dict(sorted(self._files.items())),
        }


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise UserError(
            f"{folder} holds {len(found)} files {pattern}, an OpenCV face pack has exactly one: "
            "put the detector and the recogniser of OpenCV's model zoo there."
        )
    return found[0]


def _letterboxed(image: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    import cv2

    height, width = image.shape[:2]
    scale = size / max(height, width)
    new = (max(1, int(width * scale)), max(1, int(height * scale)))
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[: new[1], : new[0]] = cv2.resize(image, new)
    return canvas, scale


def _face_of(row: np.ndarray, score: float) -> Face:
    x, y, width, height = row[:4]
    box = np.array([x, y, x + width, y + height], np.float32)
    return Face(box, score, row[4:14].reshape(5, 2).astype(np.float32))


def _row_of(face: Face) -> np.ndarray:
    x1, y1, x2, y2 = face.box
    return np.concatenate(
        [[x1, y1, x2 - x1, y2 - y1], face.landmarks.reshape(-1), [face.score]]
    ).astype(np.float32)
