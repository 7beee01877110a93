"""InsightFace packs: an SCRFD detector with landmarks, an ArcFace recogniser, perhaps ages.

Loaded through insightface 2.x from a folder that is already there, on the CPU, at one explicit
detector size: the library's default of two merged sizes gives other faces. Refuses detectors
without landmarks, weights split over several files, and files that differ from their manifest.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.genderage import GenderAge
from mm_model.facepack.port import Attributes, Face, pack_digest
from mm_model.facepack.template import around_face, norm_crop
from mm_model.store import digests
from mm_model.store.atomic import Document

_PROVIDER = "CPUExecutionProvider"


class InsightFacePack:
    """An InsightFace model folder behind the `FacePack` port."""

    def __init__(
        self, folder: Path, detection_size: int, threads: int, keep_fixed_size: bool = False
    ) -> None:
        """Load the pack; `threads` bounds each ONNX session.

        `keep_fixed_size` opens a detector of one fixed input size at that size.

        Raises:
            UserError: a part is missing, damaged, or does not take `detection_size`.
        """
        self._folder, self._threads = folder, threads
        self._size = (detection_size, detection_size)
        models = _load(folder, threads)
        self._detector = _part(models, "detection", folder)
        self._recognizer = _part(models, "recognition", folder)
        self._prepare_detector(keep_fixed_size)
        self._files = {
            _name(part): digests.of_file(_path(part)) for part in (self._detector, self._recognizer)
        }
        ages = models.get("genderage")
        self._ages = {} if ages is None else {_name(ages): digests.of_file(_path(ages))}
        _check_manifest(folder, self._files | self._ages)
        self._attributes = None if ages is None else GenderAge(ages, self._ages[_name(ages)])
        self._digest = pack_digest(self._files)
        self._width = self._probe_width()
        self._check_threads()

    @property
    def digest(self) -> str:
        """Digest over detector and recogniser, from which alone cosines follow."""
        return self._digest

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self._width

    @property
    def attributes(self) -> Attributes | None:
        """Estimates of age and gender, where the pack holds a model for them."""
        return self._attributes

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        """Faces with score >= `above`, best first; small pictures are enlarged to the input.

        Raises:
            UserError: the detector takes one size of input only, and `size` is another.
        """
        fixed = self._detector.static_input_size
        if size is not None and fixed is not None and tuple(fixed) != (size, size):
            raise UserError(
                f"{_name(self._detector)} takes pictures of {fixed[0]} pixels only, so it has no "
                f"cheap look at {size}: set faces.prescreen_size and faces.prescreen_above to "
                "null in the profile, or use a pack whose detector takes any size."
            )
        boxes, landmarks = self._detector.detect(
            _bgr(image), input_size=size and (size, size), det_thresh=above
        )
        return [
            Face(box[:4].astype(np.float32), float(box[4]), points.astype(np.float32))
            for box, points in zip(boxes, landmarks, strict=True)
        ]

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Raw embedding of the aligned face, float32 [width]."""
        part, landmarks = around_face(image, face.landmarks)
        crop = norm_crop(_bgr(part), landmarks, self._recognizer.input_size[0])
        return np.asarray(self._recognizer.get_feat(crop), np.float32).reshape(-1)

    def describe(self) -> Document:
        """What a record must say so that figures can be compared."""
        return {
            "adapter": "insightface",
            "digest": self._digest,
            "width": self._width,
            "detection_size": self._size[0],
            "provider": _PROVIDER,
            "files": dict(sorted(self._files.items())),
            "genderage": self._ages or None,
        }

    def _prepare_detector(self, keep_fixed_size: bool) -> None:
        fixed = self._detector.static_input_size
        if fixed is not None and keep_fixed_size:
            self._size = (int(fixed[0]), int(fixed[1]))
        if fixed is not None and tuple(fixed) != self._size:
            raise UserError(
                f"{self._detector.model_file} takes pictures of {fixed[0]} pixels only: set "
                f"faces.detection_size to {fixed[0]} in the profile (it is {self._size[0]})."
            )
        if not self._detector.use_kps:
            raise UserError(
                f"{self._detector.model_file} gives no landmarks: choose a pack whose detector "
                "has nine outputs (its name usually holds 'kps')."
            )
        self._detector.prepare(0, input_size=self._size)

    def _probe_width(self) -> int:
        side = self._recognizer.input_size[0]
        blank = np.zeros((side, side, 3), np.uint8)
        return int(np.asarray(self._recognizer.get_feat(blank)).size)

    def _check_threads(self) -> None:
        """The library makes further sessions per size: each must have kept the bound."""
        self._detector.detect(np.zeros((32, 32, 3), np.uint8))
        sessions = [*self._detector.resolution_sessions.values(), self._recognizer.session]
        sessions += [self._attributes.session] if self._attributes else []
        for session in sessions:
            found = session.get_session_options().intra_op_num_threads
            if found != self._threads:
                raise RuntimeError(f"a face session runs {found} threads, not {self._threads}")


def _bgr(image: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # a strided copy by NumPy takes ten times as long


def _load(folder: Path, threads: int) -> Document:
    import onnxruntime
    from insightface.app import FaceAnalysis

    for path in sorted(folder.glob("*.onnx")):
        _check_single_file(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        analysis = FaceAnalysis(
            name=str(folder),
            allowed_modules=["detection", "recognition", "genderage"],
            providers=[_PROVIDER],
            sess_options=options,
        )
    except AssertionError:
        raise UserError(
            f"{folder} holds no face detector: choose an InsightFace pack with a detector and a "
            "recogniser, such as buffalo_l."
        ) from None
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise UserError(
            f"{folder} cannot be read as an InsightFace pack ({str(error)[:120]}): fetch it again."
        ) from None
    return analysis.models


def _check_single_file(path: Path) -> None:
    """A digest of one file must cover all its weights."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except DecodeError:
        raise UserError(f"{path} is not an ONNX file: fetch the face pack again.") from None
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in graph.initializer):
        raise UserError(
            f"{path} keeps its weights in a second file: save it as one file "
            "(onnx.save with external data off) before use."
        )


def _path(part: Any) -> Path:
    return Path(part.model_file)


def _name(part: Any) -> str:
    return _path(part).name


def _part(models: Document, task: str, folder: Path) -> Any:
    if task not in models:
        raise UserError(
            f"{folder} has no {task} model: choose an InsightFace pack that holds a detector and "
            "a recogniser."
        )
    return models[task]


def _check_manifest(folder: Path, files: dict[str, str]) -> None:
    """Hold the files to the digests a `manifest.json` lists, in the pack or at its root.

    `files` (name -> SHA-256, or an entry with `sha256`) or `files_sha256` (path -> SHA-256).
    """
    for path in (folder / "manifest.json", folder.parent.parent / "manifest.json"):
        content = json.loads(path.read_text()) if path.is_file() else {}
        listed = content.get("files_sha256", content.get("files", {}))
        for name, entry in listed.items() if isinstance(listed, dict) else ():
            place = f"{folder.parent.name}/{folder.name}/{Path(name).name}"
            found = files.get(Path(name).name) if name in files or name.endswith(place) else None
            expected = entry.get("sha256") if isinstance(entry, dict) else entry
            if found is not None and expected is not None and expected != found:
                raise UserError(
                    f"{folder / Path(name).name} differs from the digest in {path}: restore the "
                    "pack's files."
                )
