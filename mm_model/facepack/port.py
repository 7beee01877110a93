"""The face pack port: what a detector with landmarks and a recogniser must offer together.

`open_pack` finds out which adapter a folder needs. Pictures are RGB uint8 [H, W, 3] everywhere;
adapters convert at their own boundary. Nothing here downloads anything.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mm_model.errors import UserError
from mm_model.store import digests
from mm_model.store.atomic import Document

STRIDE = 32
"""The coarsest stride of the detectors: their input side is a multiple of it."""

DLIB_FILE = "dlib_face_recognition_resnet_model_v1.dat"
"""What tells a dlib pack."""


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face, in pixels of the picture given to the detector.

    box: float32 [4] x1, y1, x2, y2 (may reach beyond the picture). score: 0 to 1. landmarks:
    float32 [5, 2], image-left eye, image-right eye, nose tip, image-left and image-right mouth
    corner.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray

    @property
    def short_side(self) -> float:
        """The shorter side of the box in pixels."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    def moved(self, dx: float, dy: float) -> "Face":
        """The same face with every coordinate shifted by (dx, dy) pixels."""
        shift = np.array([dx, dy], np.float32)
        return Face(self.box + np.tile(shift, 2), self.score, self.landmarks + shift)

    def enlarged(self, factor: float) -> "Face":
        """The same face in a picture `factor` times as large."""
        if factor == 1:
            return self
        return Face(self.box * np.float32(factor), self.score, self.landmarks * np.float32(factor))


class FacePack(Protocol):
    """A detector and a recogniser that belong together.

    `digest` names their weights; cosines of embeddings from different digests mean nothing and
    must never be compared. `width` is the length of an embedding, read from the pack.
    """

    @property
    def digest(self) -> str: ...

    @property
    def width(self) -> int: ...

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        """Faces with score >= `above`, best first.

        size: another side of the detector's square input than the one that it was opened for, a
        multiple of `STRIDE`.

        Raises:
            UserError: the detector takes no other.
        """
        ...

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Raw embedding of one face, float32 [width]; not normalised."""
        ...

    def describe(self) -> Document:
        """JSON-able record: adapter, digest, width, detection size, files with digests."""
        ...


class Attributes(Protocol):
    """What some packs tell of a face besides: a model's estimates. `digest` names its weights."""

    @property
    def digest(self) -> str: ...

    def of(self, image: np.ndarray, face: Face) -> tuple[float, float]:
        """Age in years, and the probability that the face is a woman's or a girl's."""
        ...


def attributes_of(pack: FacePack) -> Attributes | None:
    """The pack's own estimates of age and gender; None where it holds no model for them."""
    return getattr(pack, "attributes", None)


def unit(vector: np.ndarray) -> np.ndarray:
    """`vector` at length one, float32; all NaN when it is zero or not finite.

    NaN spreads to every cosine and every rule rejects it: a dead recogniser cannot pass a filter.
    """
    vector = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        return np.full_like(vector, np.nan)
    return vector / np.float32(length)


def pack_digest(files: dict[str, str]) -> str:
    """One digest for a pack from the digests of the files it uses (role -> SHA-256)."""
    return digests.of_value(files)


def open_judge(folder: Path, detection_size: int, threads: int = 1) -> FacePack:
    """Open a pack that only embeds: a detector of fixed input keeps its own size."""
    return open_pack(folder, detection_size, threads, keep_fixed_size=True)


def face_of(values: Any) -> Face:
    """The face of one `tracks.parquet` row (a mapping with the track columns)."""
    box = np.array([values[name] for name in ("x1", "y1", "x2", "y2")], np.float32)
    points = np.array(
        [[values[f"kx{point}"], values[f"ky{point}"]] for point in range(5)], np.float32
    )
    return Face(box, float(values["score"]), points)


def open_pack(
    folder: Path, detection_size: int, threads: int = 1, keep_fixed_size: bool = False
) -> FacePack:
    """Open the face pack in `folder` for a detector input of `detection_size` pixels square.

    With `keep_fixed_size` a detector that takes one size only is opened at that one. A folder with
    `face_detection_yunet*.onnx` is an OpenCV pack, one with `DLIB_FILE` a dlib pack, any other
    folder with `.onnx` files an InsightFace pack (`<root>/models/<name>`).

    Raises:
        UserError: the folder is absent or empty, or the size does not fit the detector.
    """
    folder = Path(folder)
    if detection_size % STRIDE:
        raise UserError(
            f"faces.detection_size is {detection_size}: choose a multiple of {STRIDE} in the "
            "profile."
        )
    if (folder / DLIB_FILE).is_file():
        from mm_model.facepack.dlib import DlibPack

        return DlibPack(folder, detection_size)
    if not folder.is_dir() or not any(folder.glob("*.onnx")):
        raise UserError(
            f"{folder} holds no face pack (.onnx files): point FACEPACK (params.yaml: facepack) to "
            "an InsightFace pack folder <root>/models/<name>; nothing is downloaded for you."
        )
    if any(folder.glob("face_detection_yunet*.onnx")):
        from mm_model.facepack.opencv import OpenCVPack

        return OpenCVPack(folder, detection_size, threads)
    from mm_model.facepack.insightface import InsightFacePack

    return InsightFacePack(folder, detection_size, threads, keep_fixed_size)
