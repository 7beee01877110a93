"""SHA-256 of bytes, files, folders and settings: the names things go by."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

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
    digest.update(np.ascontiguousarray(pixels))
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

    A `tolerant` digest counts a file that cannot be read as such instead of raising OSError.
    """
    return of_value(
        sorted((name, _of_file_in(folder / name, tolerant)) for name in files_below(folder))
    )


def _of_file_in(path: Path, tolerant: bool) -> str:
    try:
        return of_file(path)
    except OSError:
        if not tolerant:
            raise
        return "unreadable"


def of_path(path: Path, tolerant: bool = False) -> str:
    """Digest of a file or of a folder."""
    return of_folder(path, tolerant) if path.is_dir() else of_file(path)


def of_value(value: Any) -> str:
    """Hex SHA-256 of a JSON-able value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return of_bytes(text.encode())


def files_below(folder: Path) -> list[str]:
    """Sorted POSIX-style relative paths of the regular files below `folder`.

    Python's own byte-code folders are left out: they come and go without meaning.
    """
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
