"""Walking a tree that others made: every entry once, and what could not be looked into by name.

Never follows a link, has no limit of depth, and raises nothing for an entry: a folder that may not
be listed, a name too long to open or a file that vanished is yielded with its error.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One entry: `relative` counts from the folder walked, `status` is its own (`lstat`).

    An entry with `error` could not be looked at (`status` None), or is a folder that could not be
    listed to its end (`status` set).
    """

    path: Path
    relative: Path
    status: os.stat_result | None
    error: OSError | None = None

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.status is not None and stat.S_ISLNK(self.status.st_mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself; such an entry could not be listed."""
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file itself."""
        return self.status is not None and stat.S_ISREG(self.status.st_mode)


def _any(name: str) -> bool:
    return True


def entries_below(folder: Path, wanted: Callable[[str], bool] = _any) -> Iterator[Entry]:
    """Every entry below `folder` but folders that could be listed, in no particular order.

    `wanted` is asked for the name of every entry; what it refuses is neither yielded nor entered.

    Raises:
        OSError: `folder` itself cannot be listed.
    """
    top = Entry(folder, Path(), folder.stat())
    waiting = [top]
    while waiting:
        place = waiting.pop()
        names, error = _names(place.path)
        if error is not None:
            if place is top:
                raise error
            yield replace(place, error=error)
        for name in filter(wanted, names):
            entry = _entry(place.path / name, place.relative / name)
            if entry.is_folder:
                waiting.append(entry)
            else:
                yield entry


def _names(place: Path) -> tuple[list[str], OSError | None]:
    """Names in a folder, as far as they can be read, and the error that ended the reading."""
    names: list[str] = []
    try:
        with os.scandir(place) as found:
            for entry in found:
                names.append(entry.name)
    except OSError as error:
        return names, error
    return names, None


def _entry(path: Path, relative: Path) -> Entry:
    try:
        return Entry(path, relative, path.lstat())
    except OSError as error:
        return Entry(path, relative, None, error)


def why(error: OSError) -> str:
    """What an error of the file system means, as a clause for people, without the path."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    return (error.strerror or type(error).__name__).lower()
