"""Write aside, flush to disk, rename: a reader sees the old file or the new one, never half.

Nothing here knows what the bytes mean.
"""

import contextlib
import errno
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from mm_model.errors import machine_number

Document: TypeAlias = dict[str, Any]
"""A JSON object as a file holds it: who reads one checks what he takes from it."""

_ENDS = (".old", ".new")
"""Of folders that stand beside a published one for a moment."""


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it onto `target` when the block succeeds.

    The suffix of `target` is kept, since writers such as PyAV choose a format by it. On an
    exception the temporary file is removed and `target` stays as it was. The user's umask holds.

    Raises:
        OSError: the machine would not write (disk full, read-only, ...); it names `target`, also
            where a library raised an exception of its own.
    """
    aside = target.with_name(f".{uuid.uuid4().hex[:8]}.aside{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _usual_mode(aside)
        yield aside
        with aside.open("rb") as handle:
            os.fsync(handle.fileno())
        aside.chmod(mode)
        aside.replace(target)
        sync_folder(target.parent)
    except Exception as error:
        number, named = machine_number(error), getattr(error, "filename", None)
        if named in (str(aside), str(target)):
            number = getattr(error, "errno", None)  # also a name too long, or a loop of links
        if number is None or named not in (None, str(aside), str(target)):
            raise
        raise OSError(number, os.strerror(number), str(target)) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _usual_mode(path: Path) -> int:
    """The rights of a new file: all may read it, as far as the user's umask lets them.

    Asked of the system by making `path` for a moment, since a writer may make its file otherwise.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)
        path.unlink()


def link(source: Path, target: Path) -> None:
    """Give a file a second name; a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target` atomically."""
    with written_aside(target) as aside:
        aside.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Write `content` to `target` atomically, as UTF-8."""
    write_bytes(target, content.encode())


def write_json(target: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON; NaN and infinity are refused (ValueError)."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def publish_folder(candidate: Path, target: Path) -> None:
    """Move the finished folder `candidate` to `target`, replacing what stood there.

    It is brought beside `target` first, from another file system as a copy, and an old `target` is
    moved aside and removed after, so that no moment shows a mixture.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    old, new = (target.with_name(f".{target.name}.{mark}{end}") for end in _ENDS)
    copied = _brought(candidate, new)
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        if copied:
            shutil.rmtree(new, ignore_errors=True)
        else:
            new.rename(candidate)
        raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
    if copied:
        shutil.rmtree(candidate, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove what publishing to `target` left beside it when it was killed; nobody else may be
    publishing there."""
    for left in target.parent.glob(f".{target.name}.*"):
        if left.suffix in _ENDS:
            shutil.rmtree(left, ignore_errors=True)


def _brought(candidate: Path, place: Path) -> bool:
    """Move a folder to `place`; whether it took a copy, on disk then."""
    try:
        candidate.rename(place)
        return False
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    try:
        shutil.copytree(candidate, place, symlinks=True)
        for folder, _, names in os.walk(place):
            for name in names:
                with Path(folder, name).open("rb") as handle:
                    os.fsync(handle.fileno())
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, shutil.Error) and (number := machine_number(error)) is not None:
            raise OSError(number, os.strerror(number), str(place)) from error
        raise
    return True
