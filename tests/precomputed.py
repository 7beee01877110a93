"""Sets of samples for training: small ones written for a test, and any read back whole."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file

from mm_model.precompute import shards
from mm_model.precompute.names import EMPTY_TEXT, PICTURES
from mm_model.precompute.sample import TrainingSample
from mm_model.records import PRECOMPUTED_COLUMNS
from mm_model.store import tables
from mm_model.train.shards import ShardSet

COUNTS = dict.fromkeys(("references", "offset", "bytes"), "count")
NUMBERS = dict.fromkeys(("latent_std", "logvar_mean", "face_share"), "number")


@dataclass(frozen=True)
class Made:
    """A sample to be written, and who it shows."""

    sample_id: str
    sample: TrainingSample
    identity: str = "id-0"
    caption: str = "a man walks in the park"


def written(
    folder: Path,
    made: list[Made],
    empty_text: torch.Tensor,
    *,
    per_shard: int = 1000,
    name: str = PICTURES,
) -> ShardSet:
    """The set `name` of these samples, as `precompute` would leave it in `folder`."""
    paths = []
    for number, start in enumerate(range(0, len(made), per_shard)):
        entries = [
            (one.sample_id, _words(one), one.sample.to_bytes())
            for one in made[start : start + per_shard]
        ]
        paths.append(folder / name / shards.name_of(number))
        shards.write(paths[-1], entries, "test")
    rows = (row for path in paths for row in shards.words_in(path))
    tables.write(folder / f"{name}.parquet", rows, PRECOMPUTED_COLUMNS, COUNTS | NUMBERS)
    save_file({"text": empty_text.contiguous()}, folder / EMPTY_TEXT)
    return ShardSet(folder, name)


def _words(one: Made) -> dict[str, Any]:
    return {
        "identity": one.identity,
        "split": "train",
        "media": "image",
        "caption": one.caption,
        "references": one.sample.references,
        "key": one.sample_id,
        "latent_std": 1.0,
        "logvar_mean": -10.0,
        "face_share": 0.5,
    }


@dataclass(frozen=True)
class Read:
    """All of a set: `targets` in the index's order, their `samples`, and tensors stacked.

    `latents [N,T,C,h,w]` are the posterior's means, scaled; `masks`, `landmarks`, `boxes` as a
    sample has them. `rows` maps ids to places.
    """

    targets: list[SimpleNamespace]
    samples: list[TrainingSample]
    tensors: dict[str, torch.Tensor]
    rows: dict[str, int]


def read(data: ShardSet, scaling: float) -> Read:
    """Read a whole set, a sample by its own place in its shard."""
    rows = tables.records(data.index)
    contents = [shards.SamplePlace.of(row).read(data.folder / data.name) for row in rows]
    samples = [TrainingSample.of_bytes(content) for content in contents]
    tensors = {
        "latents": torch.stack([one.mean for one in samples]).float() * scaling,
        "masks": torch.stack([one.mask for one in samples]).float(),
        "landmarks": torch.stack([one.landmarks for one in samples]),
        "boxes": torch.stack([one.box for one in samples]),
    }
    places = {row["sample_id"]: place for place, row in enumerate(rows)}
    return Read([SimpleNamespace(**row) for row in rows], samples, tensors, places)
