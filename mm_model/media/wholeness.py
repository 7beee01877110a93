"""Whether a clip file ends where its container says: the mark of a download that broke off.

Looks at the outermost structure only and decodes nothing. What it cannot tell (a size left open,
a damaged length) it leaves to the decoder.
"""

import io
from typing import IO

_SEGMENT = b"\x18\x53\x80\x67"


def is_cut_short(handle: IO[bytes], kind: str) -> bool:
    """Whether the content of `handle`, an `mp4` or `matroska` file, ends too early.

    The position of `handle` is 0 afterwards.
    """
    end = handle.seek(0, io.SEEK_END)
    short = _mp4_reach(handle, end) > end if kind == "mp4" else _matroska_reach(handle) > end
    handle.seek(0)
    return short


def _mp4_reach(handle: IO[bytes], end: int) -> int:
    """Where the first top-level box that leaves the file would end, else the file's own end."""
    at = 0
    while at + 8 <= end:
        handle.seek(at)
        head = handle.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: the box reaches to the end; 1 to 7 are damage
            return end
        at += size
    return max(at, end)


def _matroska_reach(handle: IO[bytes]) -> int:
    """Where the segment ends by its stated size; 0 when it states none."""
    handle.seek(4)
    size = _length(handle)
    if size is None:
        return 0
    handle.seek(size, io.SEEK_CUR)
    if handle.read(4) != _SEGMENT:
        return 0
    size = _length(handle)
    return 0 if size is None else handle.tell() + size


def _length(handle: IO[bytes]) -> int | None:
    """An EBML length at the current position; None when unknown or malformed."""
    first = handle.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = handle.read(width - 1)
    value = int.from_bytes(bytes([first[0] & (0xFF >> width)]) + rest, "big")
    return None if value == (1 << (7 * width)) - 1 else value
