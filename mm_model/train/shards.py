"""What there is to learn from: the shards of one set of `precompute`, in the order of reading.

Samples come in streams. Stream g of G reads every G-th shard from g on, in an order drawn anew each
epoch; shards that follow each other form a window, and within it the order of all samples is drawn.
Each is a function of (seed, epoch), so a run may begin at any step, with any number of processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from mm_model.errors import UserError
from mm_model.precompute.names import EMPTY_TEXT
from mm_model.precompute.sample import TrainingSample
from mm_model.precompute.shards import SamplePlace
from mm_model.store import tables
from mm_model.train.randomness import generator_of
from mm_model.train.source import LocalShards, ShardSource


@dataclass(frozen=True)
class ShardWindow:
    """Shards that are held together, and the order in which their samples come.

    `order` are places among all `samples` of the window, which lie in the order of `shards`.
    """

    shards: tuple[int, ...]
    samples: int
    order: Tensor


@dataclass(frozen=True)
class Stream:
    """One stream: its shards, as numbers, and how many samples each has."""

    number: int
    shards: tuple[int, ...]
    counts: tuple[int, ...]
    seed: int
    together: int

    @property
    def length(self) -> int:
        """Samples of an epoch."""
        return sum(self.counts)

    def windows(self, epoch: int) -> Iterator[ShardWindow]:
        """All windows of an epoch, in order."""
        said = f"{epoch}/{self.number}"
        order = _drawn(len(self.shards), self.seed, f"shards/{said}").tolist()
        for first in range(0, len(order), self.together):
            held = order[first : first + self.together]
            samples = sum(self.counts[place] for place in held)
            drawn = _drawn(samples, self.seed, f"samples/{said}/{first}")
            yield ShardWindow(tuple(self.shards[place] for place in held), samples, drawn)

    def from_position(self, position: int) -> Iterator[ShardWindow]:
        """Windows without end, what comes before sample `position` left out."""
        epoch, left = divmod(position, self.length)
        while True:
            for window in self.windows(epoch):
                if left < len(window.order):
                    yield ShardWindow(window.shards, window.samples, window.order[left:])
                left = max(0, left - len(window.order))
            epoch += 1


def _drawn(count: int, seed: int, purpose: str) -> Tensor:
    return torch.randperm(count, generator=generator_of(seed, count, purpose))


@dataclass(frozen=True)
class ShardSet:
    """One set, `pictures` or `clips`, in the output of `precompute`.

    Its index lies in `folder`; so do its shards, unless `elsewhere` says where they are.
    """

    folder: Path
    name: str
    elsewhere: ShardSource | None = field(default=None, compare=False)

    @property
    def source(self) -> ShardSource:
        """What gives the bytes of its shards."""
        return self.elsewhere or LocalShards(self.folder / self.name)

    @property
    def index(self) -> Path:
        """The table of its samples."""
        return self.folder / f"{self.name}.parquet"

    @cached_property
    def _counted(self) -> dict[str, int]:
        import pyarrow.compute as pc

        found = pc.value_counts(tables.columns(self.index, ("shard",))["shard"])
        return {entry["values"].as_py(): entry["counts"].as_py() for entry in found}

    @property
    def shards(self) -> list[str]:
        """File names of its shards in their order."""
        return sorted(self._counted)

    @property
    def files(self) -> list[Path]:
        """Where its shards lie in the folder, if they do."""
        return [self.folder / self.name / shard for shard in self.shards]

    @property
    def counts(self) -> list[int]:
        """How many samples each shard has."""
        return [self._counted[shard] for shard in self.shards]

    def __len__(self) -> int:
        return sum(self._counted.values())

    @cached_property
    def people(self) -> int:
        """How many people it shows."""
        import pyarrow.compute as pc

        return pc.count_distinct(tables.columns(self.index, ("identity",))["identity"]).as_py()

    @cached_property
    def empty_text(self) -> Tensor:
        """T5's output `[L,D]` for the empty prompt."""
        return load_file(self.folder / EMPTY_TEXT)["text"]

    @cached_property
    def latent_shape(self) -> tuple[int, ...]:
        """T, C, h, w of a sample's latents.

        Raises:
            UserError: the first sample cannot be read.
        """
        columns = ("shard", "offset", "bytes", "digest")
        for batch in tables.batches(self.index, columns, size=1):
            content = self.source.tensors(SamplePlace.of(batch.to_pylist()[0]))
            if content is not None:
                return tuple(TrainingSample.of_bytes(content).mean.shape)
            break
        raise UserError(f"{self.folder / self.name} has no whole sample: run precompute again.")

    def streams(self, number: int, together: int, seed: int) -> Sequence[Stream]:
        """Its `number` streams; see `Stream`.

        Raises:
            UserError: there are fewer shards than streams.
        """
        counts = self.counts
        if len(counts) < number:
            raise UserError(
                f"The set '{self.name}' has {len(counts)} shards for {number} streams: lower "
                "streams of the training in the profile, or precompute.shard_mb."
            )
        return [
            Stream(
                stream,
                tuple(range(stream, len(counts), number)),
                tuple(counts[stream::number]),
                seed,
                together,
            )
            for stream in range(number)
        ]
