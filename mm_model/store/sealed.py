"""Seals: the digest of a file or folder that a later run will take up, kept beside it.

What lies in a work folder (checkpoints, caches, half-done work) is read again by a later process.
The seal is written once all of it is there, so what has none was not finished; a flipped bit,
another step's file or one of other work does not match it. Nothing here mends anything: the caller
makes it again.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from mm_model.store import atomic, digests
from mm_model.store.atomic import Document

SUFFIX = ".seal"
ASIDE = ".damaged"
_SCHEMA = 1
_whole: set[tuple[Any, ...]] = set()  # what this process saw whole, with sizes and times


def seal_of(path: Path) -> Path:
    """Where the seal of `path` lies: beside it."""
    return path.with_name(path.name + SUFFIX)


def seal(path: Path, origin: str, written: Path | None = None) -> None:
    """Write the seal of a finished file or folder; `origin` names the work it belongs to.

    `written` is where the content lies now, when it is renamed to `path` right after: then there is
    no moment at which `path` lies there without its seal.
    """
    files = _digests(written or path)
    record = {"schema": _SCHEMA, "name": path.name, "origin": origin, "files": files}
    atomic.write_bytes(seal_of(path), json.dumps(record, sort_keys=True).encode())


def flaw(path: Path, origin: str) -> str | None:
    """Why `path` must not be used, as the end of a sentence that begins with its name.

    None when every byte is what was sealed for `origin` under this name.
    """
    if not path.exists():
        return "is missing"
    try:
        record = json.loads(seal_of(path).read_bytes())
    except FileNotFoundError:
        return "was not finished"
    except (OSError, ValueError):
        return "has a damaged seal"
    if not isinstance(record, dict) or record.get("schema") != _SCHEMA:
        return "has a damaged seal"
    if (record.get("name"), record.get("origin")) != (path.name, origin):
        return "belongs to other work"
    try:
        return None if record.get("files") == _digests(path) else "is damaged"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def flaw_once(path: Path, origin: str) -> str | None:
    """As `flaw`, for large caches that a process opens many times.

    The bytes are read again only when a name, a size or a time has changed since they were whole.
    """
    look = (path, origin, tuple(_listing(path)), tuple(_listing(seal_of(path))))
    if look in _whole:
        return None
    found = flaw(path, origin)
    if found is None:
        _whole.add(look)
    return found


def _listing(path: Path) -> list[tuple[str, int, int]]:
    files = [path / name for name in digests.files_below(path)] if path.is_dir() else [path]
    stats = [(str(file), file.stat()) for file in files if file.exists()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def keep_copy(path: Path, copy: Path) -> None:
    """Give the sealed file `path` a second name with a seal of its own: the same digest, not a new
    one, so that damage since it was sealed is not blessed. A file without a seal is left out.
    """
    try:
        record = json.loads(seal_of(path).read_bytes())
        record["name"] = copy.name
    except (OSError, ValueError, TypeError):
        return
    remove(copy)
    atomic.link(path, copy)
    atomic.write_bytes(seal_of(copy), json.dumps(record, sort_keys=True).encode())


def move_aside(path: Path) -> None:
    """Keep a flawed file or folder as `<name>.damaged`, where nothing reads it; drop its seal."""
    seal_of(path).unlink(missing_ok=True)
    aside = path.with_name(path.name + ASIDE)
    remove(aside)
    if path.exists():
        path.rename(aside)


def remove(path: Path) -> None:
    """Remove a file or folder and its seal, seal first; what is absent is no fault."""
    seal_of(path).unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _digests(path: Path) -> Document:
    if path.is_dir():
        return {name: digests.of_file(path / name) for name in digests.files_below(path)}
    return {"": digests.of_file(path)}
