"""SHA-256 of bytes, files, folders and settings: the names things go by."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

from mm_model.store.walk import Entry, entries_below

_CHUNK = 1 << 20


def of_bytes(content: bytes) -> str:
    """Hex SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def of_pixels(pixels: "np.ndarray", *before: str) -> str:
    """Hex SHA-256 of the texts `before` and the values of an array, however it lies in memory.

    A frame whose rows are padded, or a view that is turned, counts as its own contiguous copy.
    """
    import numpy as np

    digest = hashlib.sha256("".join(before).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def of_folder(folder: Path, tolerant: bool = False) -> str:
    """Hex SHA-256 over the sorted (relative path, file digest) list of a folder.

    A `tolerant` digest counts what cannot be read or looked into as such instead of raising
    OSError.
    """
    found = [
        (entry.relative.as_posix(), _of_entry(entry, tolerant))
        for entry in _files(folder, tolerant)
    ]
    return of_value(sorted(found))


def _of_entry(entry: Entry, tolerant: bool) -> str:
    try:
        return "unreadable" if entry.error is not None else of_file(entry.path)
    except OSError:
        if not tolerant:
            raise
        return "unreadable"


def _files(folder: Path, tolerant: bool) -> Iterator[Entry]:
    """Files and links to files; with `tolerant` also what could not be looked into, else OSError.

    Python's own byte-code folders are left out: they come and go without meaning. An absent folder
    holds no files.
    """
    if not folder.is_dir():
        return
    for entry in entries_below(folder, lambda name: name != "__pycache__"):
        try:
            if entry.error is not None:
                raise entry.error
            if entry.path.is_file() if entry.is_link else entry.is_file:
                yield entry
        except OSError:
            if not tolerant:
                raise
            yield entry


def of_path(path: Path, tolerant: bool = False) -> str:
    """Digest of a file or of a folder."""
    return of_folder(path, tolerant) if path.is_dir() else of_file(path)


def of_value(value: Any) -> str:
    """Hex SHA-256 of a JSON-able value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return of_bytes(text.encode())


def files_below(folder: Path) -> list[str]:
    """Sorted POSIX-style relative paths of the regular files below `folder`, byte code left out.

    Raises:
        OSError: an entry cannot be looked into.
    """
    return sorted(entry.relative.as_posix() for entry in _files(folder, tolerant=False))
