"""Where the bytes of shards come from: a folder of this machine, or an object store.

Either gives the same bytes, so the choice (`MM_SHARDS`) changes nothing that a training learns.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from mm_model.errors import UserError
from mm_model.precompute.shards import SamplePlace
from mm_model.store import digests, streamed
from mm_model.store.streamed import StoredFiles

_BUFFER = 1 << 20
"""Bytes that are asked of a connection at once."""


class ShardSource(Protocol):
    """Gives the shards of one set by name; goes to other processes as it is."""

    def opened(self, shard: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """The bytes of a shard, in order.

        Raises:
            OSError: it cannot be read.
            UserError: a store does not give it, or other bytes.
        """
        ...

    def tensors(self, place: SamplePlace) -> bytes | None:
        """The safetensors of one sample, or None where they are not there whole."""
        ...

    def damage(self, shard: str, why: str) -> str:
        """The sentence for a shard that is no whole tar of samples."""
        ...


@dataclass(frozen=True)
class LocalShards:
    """Shards in a folder."""

    folder: Path

    def opened(self, shard: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """See `ShardSource`."""
        return (self.folder / shard).open("rb")

    def tensors(self, place: SamplePlace) -> bytes | None:
        """See `ShardSource`."""
        return place.read(self.folder)

    def damage(self, shard: str, why: str) -> str:
        """See `ShardSource`."""
        return f"{shard} of precompute cannot be read ({why}): run precompute again."


@dataclass(frozen=True)
class StoredShards:
    """The shards of the set `name` in an object store.

    Nothing is kept on disk, and no shard is in memory as a whole but for the samples taken from it:
    a buffer of 1 MiB a shard that is being read.
    """

    files: StoredFiles
    name: str

    @contextlib.contextmanager
    def opened(self, shard: str) -> Iterator[BinaryIO]:
        """See `ShardSource`. Once the block has read all, the digest is compared."""
        one = self.files.object_of(f"{self.name}/{shard}")
        with self.files.store.stream(one) as raw, io.BufferedReader(raw, _BUFFER) as stream:
            yield cast(BinaryIO, stream)
            while stream.read(_BUFFER):  # what stands behind the last sample
                pass
            if raw.digest.hexdigest() != self.files.digests[one.what]:
                raise UserError(self.files.damage(one, "its digest is another"))

    def tensors(self, place: SamplePlace) -> bytes | None:
        """See `ShardSource`."""
        one = self.files.object_of(f"{self.name}/{place.shard}")
        content = self.files.store.part(one, place.offset, place.size)
        return content if digests.of_bytes(content) == place.digest else None

    def damage(self, shard: str, why: str) -> str:
        """See `ShardSource`."""
        return self.files.damage(self.files.object_of(f"{self.name}/{shard}"), why)


def source_of(root: Path, folder: Path, name: str) -> ShardSource:
    """The shards of the set `name` of the output `folder`, from where this machine reads them.

    Raises:
        UserError: a store is asked for and does not answer, or holds what belongs to another index.
    """
    if not streamed.asked():
        return LocalShards(folder / name)
    files = StoredFiles.of(root, folder)
    index = f"{name}.parquet"
    if not files.holds(index, folder / index):
        raise UserError(
            f"What was pushed to {files.store.place.url} belongs to another {index} than lies in "
            f"{folder}: make push here, or make pull."
        )
    return StoredShards(files.below(name), name)
