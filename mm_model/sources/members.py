"""The members of a tar, a header at a time: strict, and with no memory of what it has passed.

Python's `tarfile` keeps every member it saw, reads a header of any length into memory and takes
damage in the middle for the end. Here a header is read by it, and everything around by us.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mm_model.media.failure import MediaError
from mm_model.media.names import shown
from mm_model.records import Reason

BLOCK = tarfile.BLOCKSIZE
MOST_OF_HEADER = 1 << 20
"""Bytes; longer names and notes in a header are taken for damage."""
_MOST_BEHIND = 1 << 20

_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_FOR_NEXT = (_LONG_NAME, _LONG_LINK, *_PAX, tarfile.XGLTYPE)
_LINKS = {tarfile.LNKTYPE: "a hard link", tarfile.SYMTYPE: "a link"}
_NO_FILES = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a file with holes",
}


class Bytes(Protocol):
    """What members are read from: a file, or one that is unpacked as it is read."""

    def seek(self, at: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...

    def holds(self, end: int, /) -> bool:
        """Whether there are as many bytes."""
        ...

    def let_go(self, before: int, /) -> None:
        """Bytes before this one will not be asked for again."""
        ...


class Plain:
    """A file as `Bytes`."""

    def __init__(self, handle: BinaryIO) -> None:
        self.seek, self.read = handle.seek, handle.read
        self._size = os.fstat(handle.fileno()).st_size

    def holds(self, end: int) -> bool:
        """Whether the file is as long."""
        return end <= self._size

    def let_go(self, before: int) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Member:
    """One member: the how-manieth it is, its name as written, where its bytes lie.

    `problem` says why it must not be used.
    """

    number: int
    name: str
    start: int
    size: int
    problem: MediaError | None = None


def members(handle: Bytes) -> Iterator[Member]:
    """Each member but folders, in order; `handle` may be moved between two of them.

    Raises:
        MediaError: the tar ends early or is damaged, or is a bomb; what was yielded before is
            whole.
        OSError: reading failed.
    """
    at, number = 0, 0
    said: dict[str, str] = {}
    while (head := _head(handle, at)) is not None:
        start = at + BLOCK
        size = head.size
        if head.type in _FOR_NEXT:
            said |= _said(_content(handle, start, size), head.type)
            at = start + _blocks(size)
            continue
        size = _size(said, size, at)
        name = said.get("path", head.name)
        if head.type in _LINKS or head.type in (*_NO_FILES, tarfile.DIRTYPE):
            held = size if head.type == tarfile.GNUTYPE_SPARSE else 0
        else:
            held = size
        if head.type == tarfile.GNUTYPE_SPARSE:
            start = _behind_map(handle, at, start)
        if not handle.holds(start + held):
            raise _damaged(at, f"it ends inside its member {shown(name)[:80]}")
        if head.type != tarfile.DIRTYPE:
            number += 1
            yield Member(number, name, start, held, _problem(name, head.type, said))
        at, said = start + _blocks(held), {}


def _damaged(at: int, why: str) -> MediaError:
    return MediaError(
        Reason.IO_TRUNCATED,
        f"the tar is cut short or damaged at byte {at} ({why}), so what follows is not known",
    )


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _head(handle: Bytes, at: int) -> tarfile.TarInfo | None:
    """The header at `at`; None at the mark that ends a tar."""
    handle.seek(at)
    block = handle.read(BLOCK)
    try:
        found = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        rest = handle.read(_MOST_BEHIND + 1)
        if len(rest) > _MOST_BEHIND or rest.strip(b"\0"):
            raise _damaged(at, "more follows behind the mark that ends it") from None
        return None
    except (tarfile.HeaderError, ValueError) as error:
        why = "no mark ends it" if not block else str(error)
        raise _damaged(at, why) from None
    if found.size < 0:
        raise _damaged(at, "a size below nothing")
    return found


def _content(handle: Bytes, start: int, size: int) -> bytes:
    """What a header for the next member holds."""
    if size > MOST_OF_HEADER:
        raise _damaged(start, "a header of more than 1 MiB")
    if not handle.holds(start + size):
        raise _damaged(start, "it ends inside a header")
    handle.seek(start)
    return handle.read(size)


def _said(content: bytes, kind: bytes) -> dict[str, str]:
    """What such a header says of the next member's name and size."""
    if kind == _LONG_NAME:
        return {"path": _text(content.partition(b"\0")[0])}
    if kind not in _PAX:
        return {}
    said: dict[str, str] = {}
    while content.strip(b"\0"):
        length, space, _ = content.partition(b" ")
        if not (space and length.isdigit() and len(length) < 8 and int(length) > len(length) + 1):
            break
        record, content = content[len(length) + 1 : int(length)], content[int(length) :]
        key, _, value = record.rstrip(b"\n").partition(b"=")
        said[_text(key)] = _text(value)
    return said


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _size(said: dict[str, str], size: int, at: int) -> int:
    if "size" not in said:
        return size
    if not (said["size"].isascii() and said["size"].isdigit() and len(said["size"]) < 20):
        raise _damaged(at, "a size that is no number")
    return int(said["size"])


def _behind_map(handle: Bytes, at: int, start: int) -> int:
    """Where the bytes of an old sparse file begin: behind the blocks that map its holes."""
    handle.seek(at)
    more = handle.read(BLOCK)[482:483]
    handle.seek(start)
    while more.strip(b"\0"):
        block = handle.read(BLOCK)
        more = block[504:505]
        start += BLOCK
    return start


def _problem(name: str, kind: bytes, said: dict[str, str]) -> MediaError | None:
    what = _LINKS.get(kind) or _NO_FILES.get(kind)
    if what is None and any(key.startswith("GNU.sparse") for key in said):
        what = _NO_FILES[tarfile.GNUTYPE_SPARSE]
    if what is None and kind not in tarfile.REGULAR_TYPES:
        what = "of a kind that no picture is"
    if what is not None:
        return MediaError(Reason.IO_UNSAFE, f"the member is {what}, which is never followed")
    return unsafe_name(name)


def unsafe_name(name: str) -> MediaError | None:
    """Why a file of this name may not be looked for or kept under it."""
    if name.startswith("/") or ".." in name.split("/") or "\0" in name or not name.strip("/."):
        return MediaError(Reason.IO_UNSAFE, "the name is absolute, empty, or leads upwards ('..')")
    return None
