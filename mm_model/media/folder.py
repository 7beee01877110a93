"""What lies in a folder of raw media: every file once, in a fixed order, links watched.

Reads names and kinds only. Hidden files, caption sidecars, YAML, JSON and README.md are no media;
whatever else is found is listed, usable or not.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mm_model.media.failure import MediaError
from mm_model.records import Reason

_NOT_MEDIA = {".txt", ".yaml", ".yml", ".json"}


@dataclass(frozen=True)
class Found:
    """One file. `relative` counts from the folder; `problem` says why it must not be opened."""

    path: Path
    relative: Path
    problem: MediaError | None = None

    @property
    def subject(self) -> str | None:
        """The first-level folder the file lies in, if any."""
        return self.relative.parts[0] if len(self.relative.parts) > 1 else None


def media_below(folder: Path) -> list[Found]:
    """Every candidate below `folder`, sorted by the bytes of its relative name.

    A link that leaves the folder is listed with a problem (a linked folder as one entry); a link
    to a file inside counts as a file; a linked folder inside is skipped, as its files are listed
    where they lie.
    """
    folder = folder.resolve()
    return sorted(_walk(folder), key=lambda found: os.fsencode(found.relative))


def _walk(folder: Path) -> Iterator[Found]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in [*files, *links]:
            path = Path(place) / name
            if name in files and _is_no_media(name):
                continue
            problem = _problem(path, folder)
            if problem is None and name in links:
                continue
            yield Found(path, path.relative_to(folder), problem)


def _is_no_media(name: str) -> bool:
    return (
        name.startswith(".")
        or name.lower() == "readme.md"
        or Path(name).suffix.lower() in _NOT_MEDIA
    )


def _problem(path: Path, folder: Path) -> MediaError | None:
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return MediaError(Reason.IO_UNREADABLE, "the link leads nowhere, or the file is gone")
    if not target.is_relative_to(folder):
        return MediaError(Reason.IO_SYMLINK_ESCAPE, "the link leads out of the folder")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return MediaError(Reason.IO_UNREADABLE, "not a regular file (a pipe, socket or device)")
    return None
