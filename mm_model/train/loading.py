"""Reads the samples of one step after the other, by webdataset, ahead of the training where asked.

What is held: the samples of a window of shards a stream, and the batches that were read ahead. How
many samples there are makes no difference, nor where the shards lie.
"""

import pickle
import tarfile
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from webdataset import tariterators

from mm_model.errors import UserError, first_line
from mm_model.precompute.sample import TENSORS, TrainingSample
from mm_model.train.shards import ShardSet, Stream
from mm_model.train.source import ShardSource

_AHEAD = 2
"""Steps that a worker reads ahead."""

_KILLED = (
    "A process that reads shards was ended from outside: see that memory suffices, or lower "
    "loader_workers or shuffle_shards of the training, then run again; finished steps are kept."
)
"""What a user is told when a worker is gone without a word."""
_LOST = (RuntimeError, EOFError, OSError, pickle.UnpicklingError)
"""What torch says then: also when it asks the dead for the memory of a part that was ready."""

Held = list[tuple[str, bytes]]
"""Ids and safetensors of samples."""


@dataclass(frozen=True)
class StreamPart:
    """The samples of one stream at one step, their bytes in one tensor: a worker hands that over by
    shared memory, without a copy through a pipe.
    """

    stream: int
    ids: tuple[str, ...]
    sizes: tuple[int, ...]
    content: Tensor

    @classmethod
    def of(cls, stream: int, held: Held) -> "StreamPart":
        """These samples as a part."""
        content = torch.frombuffer(bytearray().join(b for _, b in held), dtype=torch.uint8)
        return cls(stream, tuple(k for k, _ in held), tuple(len(b) for _, b in held), content)


@dataclass(frozen=True)
class UnreadPart:
    """In the place of a part that could not be read: a sentence for the user. A worker hands it
    over like a part, since torch would bury what a worker raises in its traceback.
    """

    sentence: str


@dataclass(frozen=True)
class Drawn:
    """The samples of one stream at one step."""

    stream: int
    sample_ids: tuple[str, ...]
    samples: tuple[TrainingSample, ...]

    @classmethod
    def of(cls, part: StreamPart) -> "Drawn":
        """The samples of a part that was read."""
        contents = part.content.split(part.sizes)
        samples = tuple(TrainingSample.of_bytes(one.numpy().tobytes()) for one in contents)
        return cls(part.stream, part.ids, samples)


class Loader:
    """The steps of a training: `steps(first)` yields what each step sees, a part a stream.

    Of `ranks` processes, each with a loader of its own, `rank` reads the streams rank, rank +
    ranks, ...; together they see what one would see alone.
    """

    def __init__(
        self,
        data: ShardSet,
        streams: Sequence[Stream],
        batch_size: int,
        *,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if len(streams) % ranks or batch_size % len(streams):
            raise UserError(
                f"{len(streams)} streams cannot be shared evenly by {ranks} processes and a batch "
                f"of {batch_size}: set streams of the training to a multiple of the processes that "
                "divides batch_size."
            )
        self._source, self._shards = data.source, data.shards
        self._streams = list(streams)[rank::ranks]
        self._each = batch_size // len(streams)
        self._workers = min(workers, len(self._streams))
        self.waited = 0.0
        """Seconds that `steps` waited for samples so far."""

    def steps(self, first: int) -> Iterator[list[Drawn]]:
        """Parts of step `first` (counted from 1), of the next, and so on without end.

        Raises:
            UserError: a shard is damaged or missing, or whoever reads it ended.
        """
        steps = _ahead(self._drawn(first)) if self._workers else self._drawn(first)
        while True:
            began = time.monotonic()
            step = next(steps)
            self.waited += time.monotonic() - began
            yield step

    def _drawn(self, first: int) -> Iterator[list[Drawn]]:
        sentence = yield from self._until_unread(first)
        raise UserError(sentence)  # here, where nothing holds the workers any more: they ended

    def _until_unread(self, first: int) -> Generator[list[Drawn], None, str]:
        """Steps as long as their parts can be read, then why one could not."""
        parts = iter(self._parts(first))
        while True:
            told: list[StreamPart] = []
            for _ in self._streams:
                try:
                    part = next(parts)
                except _LOST as error:
                    if self._workers and _is_loss(error):
                        return _KILLED
                    raise
                if isinstance(part, UnreadPart):
                    return part.sentence
                told.append(part)
            yield [Drawn.of(part) for part in sorted(told, key=lambda part: part.stream)]

    def _parts(self, first: int) -> "DataLoader[StreamPart | UnreadPart]":
        dataset = _Parts(self._source, self._shards, self._streams, self._each, first)
        if self._workers == 0:
            return DataLoader(dataset, batch_size=None)
        return DataLoader(
            dataset,
            batch_size=None,
            num_workers=self._workers,
            prefetch_factor=_AHEAD * -(-len(self._streams) // self._workers),
            multiprocessing_context="spawn",
        )


def _is_loss(error: Exception) -> bool:
    """Whether it says that a worker is gone, and not what went wrong in a living one."""
    return not isinstance(error, RuntimeError) or "exited unexpectedly" in str(error)


def _ahead(steps: Iterator[list[Drawn]]) -> Iterator[list[Drawn]]:
    """The same steps, the next one taken over from the workers while this one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, steps)
        while True:
            step = coming.result()
            coming = thread.submit(next, steps)
            yield step


class _Parts(IterableDataset[StreamPart | UnreadPart]):
    """The parts of all streams, step by step; of a worker, those of its own streams. What cannot be
    read is said in the place of the last part.
    """

    def __init__(
        self,
        source: ShardSource,
        shards: Sequence[str],
        streams: Sequence[Stream],
        each: int,
        first: int,
    ) -> None:
        self._source, self._shards = source, shards
        self._streams, self._each, self._first = streams, each, first

    def __iter__(self) -> Iterator[StreamPart | UnreadPart]:
        own = self._streams
        if (worker := get_worker_info()) is not None:
            own = own[worker.id :: worker.num_workers]
        position = (self._first - 1) * self._each
        reading = [(one.number, _samples(self._source, self._shards, one, position)) for one in own]
        while True:
            for number, samples in reading:
                try:
                    part = StreamPart.of(number, [next(samples) for _ in range(self._each)])
                except UserError as error:
                    yield UnreadPart(str(error))
                    return
                yield part


def _samples(
    source: ShardSource, shards: Sequence[str], stream: Stream, position: int
) -> Iterator[tuple[str, bytes]]:
    for window in stream.from_position(position):
        names = [shards[shard] for shard in window.shards]
        held = _read(source, names)
        if len(held) != window.samples:
            raise UserError(
                f"{', '.join(names)} of precompute hold {len(held)} samples, and the index tells "
                f"{window.samples}: run precompute again."
            )
        for place in window.order.tolist():
            yield held[place]
        held.clear()  # before the next window is read


def _read(source: ShardSource, shards: Sequence[str]) -> Held:
    """All samples of some shards, in order."""
    found: Held = []
    for shard in shards:
        try:
            with source.opened(shard) as stream:
                files = tariterators.tar_file_expander([{"url": shard, "stream": stream}])
                for sample in tariterators.group_by_keys(files):
                    found.append((sample["__key__"], sample[TENSORS]))
        except UserError as error:
            raise UserError(_said(error)) from None
        except (OSError, ValueError, KeyError, EOFError, tarfile.TarError) as error:
            raise UserError(source.damage(shard, _said(error))) from None
    return found


def _said(error: Exception) -> str:
    """What an error says, without what webdataset adds to it."""
    said = error.args[0] if error.args else ""
    if isinstance(error, OSError) and error.strerror:
        said = error.strerror
    return str(said).partition(" @ ")[0] or first_line(error)
