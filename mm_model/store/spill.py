"""Rows that wait on the disk while a stage is at work: eight bytes of each are in memory.

They lie in a folder that is removed when the work ends, however it ends; whoever was killed begins
with an empty one. No other process reads it, so that nothing waits for the disk.
"""

import contextlib
import hashlib
import os
import pickle
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, overload

import numpy as np

from mm_model.rows import Row

_AT_ONCE = 256
_PROTOCOL = pickle.HIGHEST_PROTOCOL  # a third of JSON's time; only the process that wrote it reads


class Spill(Sequence[Row]):
    """Rows in the order in which they were appended, read one by one or in portions."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("q", [0])
        self._flushed = True

    def append(self, row: Row) -> None:
        """Add a row behind the others."""
        self._ends.append(self._ends[-1] + self._file.write(pickle.dumps(row, _PROTOCOL)))
        self._flushed = False

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return self._read(start, stop)[::step] if step > 0 else [*self][place]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._read(place, place + 1)[0]

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._read(start, min(start + _AT_ONCE, len(self)))

    def _read(self, start: int, stop: int) -> list[Row]:
        if stop <= start:
            return []
        if not self._flushed:
            self._file.flush()
            self._flushed = True
        first, last = self._ends[start], self._ends[stop]
        content = bytearray()
        while len(content) < last - first:  # a read gives at most 2 GiB
            at = first + len(content)
            part = os.pread(self._file.fileno(), last - at, at)
            if not part:
                raise OSError(f"{self._file.name} became shorter while it was in use")
            content += part
        starts = (end - first for end in self._ends[start:stop])
        whole = memoryview(content)
        return [pickle.loads(whole[at:]) for at in starts]  # each ends where the next begins


class KeyedSpill:
    """Rows by a key, 24 bytes of each in memory; the last one of a key counts."""

    def __init__(self, file: IO[bytes]) -> None:
        self._rows = Spill(file)
        self._digests = array("Q")
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def put(self, key: str, row: Row) -> None:
        """Add the row of a key."""
        self._rows.append({"key": key, "row": row})
        self._digests.append(_digest(key))
        self._sorted = None

    def get(self, key: str) -> Row | None:
        """The row of a key, None where there is none."""
        if self._sorted is None:
            known = np.frombuffer(self._digests, np.uint64)
            order = np.argsort(known, kind="stable")
            self._sorted = known[order], order
        known, order = self._sorted
        digest = np.uint64(_digest(key))
        for place in range(int(np.searchsorted(known, digest, "right")) - 1, -1, -1):
            if known[place] != digest:
                break
            found = self._rows[int(order[place])]
            if found["key"] == key:
                return found["row"]
        return None


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


class Spills:
    """The files of one folder; see `opened`."""

    def __init__(self, folder: Path, ends: contextlib.ExitStack) -> None:
        self._folder, self._ends = folder, ends

    def rows(self, name: str) -> Spill:
        """An empty file of rows, called `name`."""
        return Spill(self._opened(name))

    def by_key(self, name: str) -> KeyedSpill:
        """An empty file of rows by key, called `name`."""
        return KeyedSpill(self._opened(name))

    def _opened(self, name: str) -> IO[bytes]:
        return self._ends.enter_context((self._folder / f"{name}.rows").open("w+b"))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Spills]:
    """Files of rows in `folder`, which belongs to this work alone and is gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with contextlib.ExitStack() as ends:
            yield Spills(folder, ends)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
