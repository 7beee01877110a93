"""What lies in a folder of raw media: every file once, in a fixed order, links watched.

Reads names and kinds only. Hidden files, caption sidecars, YAML, JSON and README.md are no media;
whatever else is found is listed, usable or not. What cannot be looked into (a folder without
permission, a link that leads nowhere) is listed too, with the reason: nothing is lost unsaid.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mm_model.errors import UserError
from mm_model.media.failure import MediaError
from mm_model.media.names import tar_ending
from mm_model.records import Reason
from mm_model.store.walk import Entry, entries_below, why

_TEXT = ".txt"
_NOT_MEDIA = {".yaml", ".yml", ".json"}
_NO_FILE = MediaError(Reason.IO_UNREADABLE, "not a regular file (a pipe, socket or device)")
_GONE = (errno.ENOENT, errno.ENOTDIR)
_LASTING = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
"""Errors that another try would meet again; any other may be the machine's."""


@dataclass(frozen=True)
class MediaFile:
    """One file. `relative` counts from the folder; `problem` says why it must not be opened.

    `unlisted` marks a folder that could not be listed: it stands for an unknown number of files.
    """

    path: Path
    relative: Path
    problem: MediaError | None = None
    unlisted: bool = False

    @property
    def subject(self) -> str | None:
        """The first-level folder the file lies in, if any."""
        return self.relative.parts[0] if len(self.relative.parts) > 1 else None


@dataclass(frozen=True)
class Contents:
    """`media` are the candidates, `texts` the files that may hold a caption of one."""

    media: list[MediaFile]
    texts: list[MediaFile] = field(default_factory=list)


def media_below(folder: Path) -> list[MediaFile]:
    """Every candidate below `folder`, sorted by the bytes of its relative name.

    A link that leaves the folder is listed with a problem (a linked folder as one entry); a link
    to a file inside counts as a file; a linked folder inside is skipped, as its files are listed
    where they lie. A folder that cannot be listed is one entry with a problem.

    Raises:
        UserError: `folder` itself cannot be listed.
    """
    return contents_of(folder).media


def contents_of(folder: Path) -> Contents:
    """Candidates and caption files below `folder`, each sorted by the bytes of its relative name.

    Raises:
        UserError: `folder` itself cannot be listed.
    """
    try:
        folder = Path(os.path.realpath(folder))
        found = list(_walk(folder))
    except OSError as error:
        raise UserError(
            f"{folder} cannot be listed ({why(error)}): give this user read and search permission "
            "there, or name another folder of photographs and clips."
        ) from None
    found.sort(key=lambda one: os.fsencode(one[0].relative))
    return Contents([one for one, text in found if not text], [one for one, text in found if text])


def _walk(folder: Path) -> Iterator[tuple[MediaFile, bool]]:
    """What was found, and whether it is a caption file by its name."""
    for entry in entries_below(folder, lambda name: not name.startswith(".")):
        problem: MediaError | None
        if entry.error is not None:
            problem = _unseen(entry, entry.error)
        elif entry.is_link:
            problem = _link_problem(entry.path, folder)
        else:
            problem = None if entry.is_file else _NO_FILE
        if problem is None and entry.is_link and _is_folder(entry.path):
            continue
        # The name of a folder says nothing of what is in it.
        text = not entry.is_folder and entry.path.suffix.lower() == _TEXT
        if text or entry.is_folder or _may_be_media(entry.path):
            yield MediaFile(entry.path, entry.relative, problem, unlisted=entry.is_folder), text


def _may_be_media(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix != _TEXT and suffix not in _NOT_MEDIA and path.name.lower() != "readme.md"


def may_be_sample(relative: Path) -> bool:
    """Whether a file may be a photograph or clip by itself, by its name from the folder on: it is
    not hidden, no caption, list or note, and no archive or index of others."""
    hidden = any(part.startswith(".") for part in relative.parts)
    holds_others = tar_ending(relative) is not None or relative.suffix.lower() == ".parquet"
    return _may_be_media(relative) and not hidden and not holds_others


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _unseen(entry: Entry, error: OSError) -> MediaError:
    """The problem of an entry that could not be looked at, or of a folder that was not listed."""
    reason = Reason.IO_UNREADABLE if error.errno in _LASTING else Reason.SYS_IO
    if entry.is_folder:
        return MediaError(
            reason, f"the folder cannot be listed ({why(error)}), so its files are not known"
        )
    if error.errno in _GONE:
        return MediaError(reason, "vanished while its folder was being listed")
    return MediaError(reason, f"cannot be looked at ({why(error)})")


def _link_problem(path: Path, folder: Path) -> MediaError | None:
    """Why a link must not be followed; None for one that leads to a file or folder listed here."""
    try:
        target = Path(os.path.realpath(path, strict=True))
        mode = target.stat().st_mode
    except OSError as error:
        said = {errno.ELOOP: "the link leads in a circle"} | dict.fromkeys(
            _GONE, "the link leads nowhere"
        )
        unknown = f"the link cannot be followed ({why(error)})"
        return MediaError(Reason.IO_UNREADABLE, said.get(error.errno or 0, unknown))
    if not target.is_relative_to(folder):
        return MediaError(Reason.IO_SYMLINK_ESCAPE, "the link leads out of the folder")
    if stat.S_ISDIR(mode):
        hidden = any(part.startswith(".") for part in target.relative_to(folder).parts)
        said_hidden = "the link leads to a hidden folder, whose files are not read"
        return MediaError(Reason.IO_UNREADABLE, said_hidden) if hidden else None
    return None if stat.S_ISREG(mode) else _NO_FILE
