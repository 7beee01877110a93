"""The port of a metric: what it must be given of a clip, and which columns it fills.

A metric is opened once a run, where it loads what is dear, then asked of every clip. Knows neither
stages nor profiles. A value that cannot be had is None, never 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np

from mm_model.facepack.port import Face, FacePack

Values = Mapping[str, float | None]
"""Column to value."""

STAND_IN = "proxy_"
"""How the name of a proxy and of its columns begins."""


class Evident(StrEnum):
    """What a metric is given of a clip; each names the fields of `Evidence` that it may read."""

    FRAMES = "frames"
    FACES = "faces"
    EMBEDDINGS = "embeddings"
    REFERENCE = "reference"
    EVERYBODY = "everybody"
    PROMPT = "prompt"

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of `Evidence`; `size` may always be read."""
        return _FIELDS[self]


_FIELDS = {
    Evident.FRAMES: ("frames", "fps"),
    Evident.FACES: ("boxes", "landmarks", "counts"),
    Evident.EMBEDDINGS: ("embeddings",),
    Evident.REFERENCE: ("gallery",),
    Evident.EVERYBODY: ("everybody", "own"),
    Evident.PROMPT: ("prompt",),
}


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """A person's pictures: unit embeddings `[K,E]` by the judge of those the model was shown and of
    those it was not, landmarks `[K,5,2]` and boxes `[K,4]` of the shown ones, and all of them as
    RGB uint8 with the face in it, shown ones first.
    """

    shown: np.ndarray
    withheld: np.ndarray
    landmarks: np.ndarray
    boxes: np.ndarray
    pictures: tuple[tuple[np.ndarray, Face], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen of one clip, and whom it is judged as.

    `frames` RGB uint8 `[T,H,W,3]` as a viewer gets them, `fps` frames a second, `size` height and
    width. Per frame `boxes [T,4]`, `landmarks [T,5,2]` in pixels, the judge's unit `embeddings
    [T,E]` of the largest face, NaN where none is; `counts [T]` says how many there are. `everybody
    [P,E]` holds the mean embedding of each tested person's pictures, `own` the row of the one whose
    `gallery` this is.
    """

    frames: np.ndarray
    fps: int
    size: tuple[int, int]
    boxes: np.ndarray
    landmarks: np.ndarray
    counts: np.ndarray
    embeddings: np.ndarray
    gallery: Gallery
    everybody: np.ndarray
    own: int
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is the same for all clips of a run: its two packs, and the device (cpu, cuda, auto)."""

    pack: FacePack
    judge: FacePack
    device: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """A number of every clip: a column of `cells.parquet`.

    unit: empty for a bare number (a cosine, a share). better: which way is good; None where neither
    is. mean: under which name `metrics.json` holds its mean over people; None where it has none.
    heading: the head of its column on the report page; None where it is not shown. least, most,
    always: what the audit asks; `always` is never null. convention: how it is computed, told in
    `metrics.json` beside the mean.
    """

    name: str
    meaning: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    mean: str | None = None
    heading: str | None = None
    least: float | None = None
    most: float | None = None
    always: bool = False
    convention: str | None = None

    @property
    def head(self) -> str:
        """The heading with unit and direction."""
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.heading}{unit}{ARROWS[self.better]}"


ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


class Unavailable(Exception):
    """Raised by `Metric.open`: it cannot be had in this run. Its text says why, as a clause."""


class Opened(Protocol):
    """A metric that is ready."""

    @property
    def weights(self) -> str | None:
        """Digest of the weights that it loaded itself; None without any.

        Those behind what it is given are the judge's and the pack's, which `metrics.json` names.
        """
        ...

    def measure(self, seen: Evidence) -> Values:
        """Its columns of one clip; one that is absent, None or not finite cannot be had."""
        ...


class Metric(Protocol):
    """One metric. `needs` is all that it reads; a proxy stands in for one that cannot be had."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[Evident]: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    @property
    def proxy(self) -> bool: ...

    def open(self, context: Context) -> Opened:
        """Load what it takes, once a run.

        Raises:
            Unavailable: weights or a package are absent; all its columns are null then.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A metric that is arithmetic on what was seen. `of` gives a value a column, in their order."""

    name: str
    needs: frozenset[Evident]
    columns: tuple[Column, ...]
    of: Callable[[Evidence], tuple[float | None, ...]]
    proxy: bool = False
    weights: str | None = None

    def open(self, context: Context) -> "Formula":
        """Nothing is loaded."""
        return self

    def measure(self, seen: Evidence) -> Values:
        """Its columns of one clip."""
        found = self.of(seen)
        return {column.name: value for column, value in zip(self.columns, found, strict=True)}


def needing(*needs: Evident) -> frozenset[Evident]:
    """A metric's needs."""
    return frozenset(needs)
