"""Cells (variant, person, seed): what was measured of one clip, judged as one person.

`values` are by the headline judge; `judged` is what each judge says of who it is, `centroids` the
unit mean of the faces that it saw. A value that cannot be had is None. No clip is generated here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mm_model.evaluate.looks import Look
from mm_model.evaluate.people import Subject
from mm_model.facepack.port import FacePack, unit
from mm_model.judges.port import Judge
from mm_model.metrics import identity, table
from mm_model.metrics.port import Evidence, Gallery
from mm_model.nn.identity.portrait import Photograph
from mm_model.store.atomic import written_aside


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One clip of one variant: what was made and what was measured (None = not to be had)."""

    cell_id: str
    variant: str
    identity: str
    prompt: str
    seed: int
    video: str
    values: Mapping[str, float | None]
    judged: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    centroids: Mapping[str, np.ndarray | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What one judge knows of all tested people: their galleries and `everybody [P,E]`."""

    galleries: Sequence[Gallery]
    everybody: np.ndarray

    @classmethod
    def of(cls, people: Sequence[Subject], judge: Judge) -> "Known":
        """Embed every picture of everybody."""
        galleries = [gallery_of(person, judge.pack) for person in people]
        return cls(galleries, everybody(galleries))


def gallery_of(person: Subject, judge: FacePack) -> Gallery:
    """Embed the pictures of a person with the judge, at the landmarks the pipeline found."""

    def embedded(pictures: tuple[Photograph, ...]) -> np.ndarray:
        return np.stack([unit(judge.embed(one.pixels, one.face)) for one in pictures])

    return Gallery(
        shown=embedded(person.shown),
        withheld=embedded(person.withheld),
        landmarks=np.stack([one.face.landmarks.astype(float) for one in person.shown]),
        boxes=np.stack([one.face.box.astype(float) for one in person.shown]),
        pictures=tuple((one.pixels, one.face) for one in (*person.shown, *person.withheld)),
    )


def everybody(galleries: Sequence[Gallery]) -> np.ndarray:
    """Unit mean `[P,E]` of each person's pictures, shown and withheld.

    NaN where none of them could be embedded.
    """
    means = []
    for one in galleries:
        pictures = np.concatenate([one.shown, one.withheld])
        found = identity.centroid(pictures)
        means.append(found if found is not None else np.full(pictures.shape[1], np.nan))
    return np.stack(means)


def evidence(
    frames: np.ndarray,
    look: Look,
    *,
    fps: int,
    prompt: str,
    judge: Judge,
    known: Known,
    judged_as: int,
) -> Evidence:
    """What the metrics are given of a clip that `judge` sees as person `judged_as` of all."""
    return Evidence(
        frames=frames,
        fps=fps,
        size=look.size,
        boxes=look.boxes,
        landmarks=look.landmarks,
        counts=look.counts,
        embeddings=look.faces[judge.name],
        gallery=known.galleries[judged_as],
        everybody=known.everybody,
        own=judged_as,
        prompt=prompt,
    )


def framed(cells: Sequence[Cell]) -> pd.DataFrame:
    """A row a cell. A measured column is a number also where no cell has a value."""
    rows = []
    for cell in cells:
        said = {
            k: value
            for k, value in vars(cell).items()
            if k not in ("values", "judged", "centroids")
        }
        rows.append({**said, **cell.values})
    frame = pd.DataFrame(rows)
    return frame.astype({column.name: "float64" for column in table.columns()})


def write(path: Path, cells: Sequence[Cell]) -> None:
    """`cells.parquet`."""
    with written_aside(path) as aside:
        framed(cells).to_parquet(aside, index=False)
