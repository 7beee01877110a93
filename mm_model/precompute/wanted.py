"""What is to be precomputed: every target of a kept training pair, and by what it is known.

The key of a target covers all that its sample is made from: contents, faces, words, weights,
settings, code and libraries. Two targets of one key have one sample, whichever run made it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from mm_model.errors import UserError
from mm_model.generation.frames import SAMPLE_COLUMNS, TRACK_COLUMNS
from mm_model.generation.reference_book import ReferenceBook
from mm_model.records import TRAIN
from mm_model.rows import Row
from mm_model.run.measuring import LIBRARIES, Measuring
from mm_model.run.stage import Job
from mm_model.settings import Profile
from mm_model.store import digests, tables
from mm_model.store.lookup import Lookup

_ENTRIES = ("precompute/encode.py", "precompute/sample.py")
_LIBRARIES = (*LIBRARIES, "torch", "transformers", "diffusers", "safetensors")
_PAIR = ("pair_id", "target", "reference", "identity", "split", "media")
_REMEMBERED = 1024
"""Tracks: each is asked for twice, for the key and for the frames."""

_SIZES = ("height", "width", "crop_margin", "reference_margin")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One clip or picture to learn; `split` is that of its pairs, as their table says it."""

    sample_id: str
    identity: str
    split: str
    media: str
    references: tuple[str, ...]


def targets_of(job: Job, media: tuple[str, ...]) -> list[Target]:
    """The targets of these media in the order of their ids, which are digests: a shuffle of a kind.

    References are those of the kept pairs, in the order of the pairs' ids.
    """
    path = job.inputs["pairs"] / "pairs.parquet"
    meant = {"status": "kept", "split": TRAIN, "media": media}
    wanted = tables.read(path, _PAIR, meant).sort_values(["target", "pair_id"])
    return [
        Target(
            sample_id=str(sample_id),
            identity=str(group["identity"].iloc[0]),
            split=str(group["split"].iloc[0]),
            media=str(group["media"].iloc[0]),
            references=tuple(group["reference"]),
        )
        for sample_id, group in wanted.groupby("target", sort=True)
    ]


class TargetFacts:
    """What the stages before say of targets: rows, faces, files and keys."""

    def __init__(
        self, inputs: dict[str, Path], profile: Profile, book: ReferenceBook, weights: str
    ) -> None:
        self._inputs, self._profile, self._book = inputs, profile, book
        self._ingest = Lookup(inputs["ingest"] / "samples.parquet", "sample_id", SAMPLE_COLUMNS)
        self._tracks = Lookup(inputs["faces"] / "tracks.parquet", "sample_id", TRACK_COLUMNS)
        sizes, rules, run = profile.model, profile.precompute, profile.run
        shape = [getattr(sizes, name) for name in _SIZES]
        about = [weights, shape, run.dtype, rules.dtype, rules.vae_tiling]
        self._measuring = Measuring(_ENTRIES, about, _LIBRARIES)
        self._content = cache(digests.of_file)
        self._track = lru_cache(_REMEMBERED)(lambda key: self._tracks.rows(key).to_pandas())

    def row(self, target: Target) -> Row:
        """Its row of ingest."""
        return self._ingest.row(target.sample_id)

    def file(self, target: Target) -> Path:
        """Its picture or clip."""
        return self._inputs["ingest"] / self.row(target)["file"]

    def track(self, target: Target) -> pd.DataFrame:
        """Its faces, a row a frame."""
        return self._track(target.sample_id)

    def key(self, target: Target, num_frames: int) -> str:
        """Digest of all that decides its sample of `num_frames` frames.

        Raises:
            UserError: a reference is not in the table of references.
        """
        row, track = self.row(target), self.track(target)
        frames = [num_frames, self._profile.model.fps if num_frames > 1 else None]
        return self._measuring.key(
            frames,
            [self._content(self.file(target)), {n: row.get(n) for n in SAMPLE_COLUMNS[1:]}],
            track.to_json(orient="values", double_precision=15),
            list(self._references(target)),
        )

    def _references(self, target: Target) -> Iterator[list]:
        for reference in target.references:
            row = self._book.row(reference)
            stage, _, rest = row["reference_file"].partition(":")
            path = self._inputs.get(stage, Path()) / rest.partition("#")[0]
            if not path.is_file():
                raise UserError(f"Reference '{reference}' has no file {path}: run pairs again.")
            yield [self._content(path), rest.partition("#")[2], {k: row[k] for k in sorted(row)}]
