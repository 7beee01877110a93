"""File names as text: a file may be called anything, a table holds only clean text.

Two forms: one to show, one to open the file again. Names never carry meaning for the pipeline.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_QUOTED = "file:"

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.zst")
"""Endings of tars: as they are, and packed."""


def tar_ending(path: Path) -> str | None:
    """Which of `TAR_ENDINGS` a name has; None of another file's."""
    name = path.name.lower()
    return next((ending for ending in TAR_ENDINGS if name.endswith(ending)), None)


def shown(path: Path | str) -> str:
    """A name for people: line breaks, controls and stray bytes as backslash escapes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def stored(path: Path | str) -> str:
    """Text that `opened` turns back into exactly this path; the path itself where it is clean."""
    text = str(path)
    if shown(path) == text and not text.startswith(_QUOTED):
        return text
    return _QUOTED + quote_from_bytes(os.fsencode(path))


def source_id(name: Path | str) -> str:
    """The name by which `sources` knows a file: it holds no path that is not text."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def opened(text: str, root: Path) -> Path:
    """The path behind `stored` text; a relative one counts from `root`."""
    if text.startswith(_QUOTED):
        text = os.fsdecode(unquote_to_bytes(text.removeprefix(_QUOTED)))
    return root / text
