"""Captions from the `<name>.txt` beside a photograph or clip, made safe for tables.

White space is normalised and control characters dropped; long text is cut at a word. What is not
text is refused rather than guessed at.
"""

import unicodedata
from pathlib import Path

MAX_CHARACTERS = 500
_MAX_BYTES = 1 << 20


def sidecar_of(path: Path) -> Path:
    """Where the caption of the media file `path` would lie."""
    return path.with_suffix(".txt")


def read_caption(sidecar: Path) -> str | None:
    """The caption in `sidecar`; None when there is no such file or it holds only white space.

    Raises:
        ValueError: not UTF-8 text, holds NUL, or is larger than 1 MiB.
    """
    if sidecar.is_symlink() or not sidecar.is_file():
        return None
    with sidecar.open("rb") as handle:
        content = handle.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError("the caption file is larger than 1 MiB")
    if b"\0" in content:
        raise ValueError("the caption file holds NUL bytes")
    try:
        return clean(content.decode("utf-8-sig")) or None
    except UnicodeDecodeError:
        raise ValueError("the caption file is not UTF-8 text") from None


def clean(text: str) -> str:
    """One line without control or formatting characters, at most 500 characters."""
    spaced = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    line = " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
    if len(line) <= MAX_CHARACTERS:
        return line
    return line[: MAX_CHARACTERS + 1].rsplit(" ", 1)[0][:MAX_CHARACTERS]
