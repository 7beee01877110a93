"""Captions from a text file beside a photograph or clip, made safe for tables.

`photo.txt`, `photo.TXT` and `photo.jpg.txt` all caption `photo.jpg`. UTF-8 is read, and what a
byte-order mark announces: UTF-16 and UTF-32 of either order. White space is normalised, control
characters are dropped, long text is cut at a word. What is not text is refused with a reason
rather than guessed at.
"""

import codecs
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model.media.folder import MediaFile
from mm_model.records import CaptionProblem
from mm_model.store.walk import why

MAX_CHARACTERS = 500
MAX_BYTES = 1 << 20
"""The largest file that is read for a caption."""
# The mark of UTF-32 begins with that of UTF-16, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class CaptionError(Exception):
    """A caption file that gives no caption; `problem` is the code of what is wrong with it."""

    def __init__(self, problem: CaptionProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True)
class Sidecars:
    """Which caption file belongs to which media file.

    `of` maps media to their caption files, the one that counts first; `stray` are text files that
    no media file claims.
    """

    of: dict[Path, list[MediaFile]]
    stray: list[MediaFile]

    @property
    def crowded(self) -> dict[Path, list[MediaFile]]:
        """Media with more than one caption file."""
        return {media: texts for media, texts in self.of.items() if len(texts) > 1}


def sidecars(media: Iterable[MediaFile], texts: Sequence[MediaFile]) -> Sidecars:
    """Match media and text files by name.

    Of several for one file the most exact counts: the full name before the stem, `.txt` in lower
    case before any other spelling.
    """
    claims: dict[Path, list[MediaFile]] = {}
    for text in sorted(texts, key=lambda one: (one.path.suffix != ".txt", one.relative)):
        claims.setdefault(text.relative.with_suffix(""), []).append(text)
    of: dict[Path, list[MediaFile]] = {}
    claimed: set[Path] = set()
    for found in media:
        name = found.relative
        own = [*claims.get(name, []), *claims.get(name.with_suffix(""), [])]
        # A file without a suffix has one name for both.
        own = list(dict.fromkeys(own))
        if own:
            of[name] = own
            claimed.update(text.relative for text in own)
    return Sidecars(of, [text for text in texts if text.relative not in claimed])


def read_caption(sidecar: MediaFile) -> str:
    """The caption in `sidecar`.

    Raises:
        CaptionError: it cannot be read, is larger than 1 MiB, or holds no text.
    """
    if sidecar.problem is not None:
        raise CaptionError(
            CaptionProblem.UNREADABLE, f"the caption file: {sidecar.problem.message}"
        )
    try:
        with sidecar.path.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise CaptionError(
            CaptionProblem.UNREADABLE, f"the caption file cannot be read ({why(error)})"
        ) from None
    return caption_in(content)


def caption_in(content: bytes) -> str:
    """The caption that the bytes of a caption file hold.

    Raises:
        CaptionError: they are more than 1 MiB, or hold no text.
    """
    if len(content) > MAX_BYTES:
        raise CaptionError(CaptionProblem.TOO_LARGE, "the caption file is larger than 1 MiB")
    return caption_of(_decoded(content))


def caption_of(text: str, place: str = "the caption file") -> str:
    """The caption that a text from `place` holds.

    Raises:
        CaptionError: it holds NUL, or nothing to be seen.
    """
    if "\0" in text:
        raise CaptionError(CaptionProblem.NOT_TEXT, f"{place} holds NUL: save it as UTF-8")
    if line := clean(text):
        return line
    raise CaptionError(CaptionProblem.EMPTY, f"{place} holds no visible text")


def first_line(content: bytes) -> str | CaptionError | None:
    """The first line of text in a file of captions, or why it gives none; None of no text."""
    try:
        lines = map(clean, _decoded(content[:MAX_BYTES]).splitlines())
    except CaptionError as error:
        return error
    return next((line for line in lines if line), None)


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        named = {"utf-8-sig": "UTF-8"}.get(encoding, encoding.upper())
        raise CaptionError(
            CaptionProblem.NOT_TEXT, f"the caption file is not {named} text: save it as UTF-8"
        ) from None


def clean(text: str) -> str:
    """One line without control or formatting characters, at most 500 characters."""
    spaced = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    line = " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
    if len(line) <= MAX_CHARACTERS:
        return line
    return line[: MAX_CHARACTERS + 1].rsplit(" ", 1)[0][:MAX_CHARACTERS]
