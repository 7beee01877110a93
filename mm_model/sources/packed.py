"""A packed tar, unpacked as it is read: no further than asked, back only as far as is still held.

Bytes that nobody asks for again are let go (`let_go`), so what is held is one sample. What would
unpack to far more than it is, or beyond all measure, is refused before the disk knows.
"""

import gzip
import tempfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from mm_model.media.failure import MediaError
from mm_model.records import Reason

MOST_TIMES = 200
"""How many times as long as its file an archive may become (tars of small pictures: under 20)."""
UNASKED = 16 << 20
"""Bytes that may come out before that is asked; a few flat pictures may pack that well."""
MOST = 1 << 38
"""Bytes, a quarter of a terabyte, that come out of one archive at most."""
MOST_HELD = 1 << 34
"""Bytes of a sample and the one before it at most: they wait on the disk for their turn."""

_STEP = 1 << 16
_WORTH_MOVING = 1 << 20
_IN_MEMORY = 64 << 20


Reads = Callable[[int], bytes]
"""Up to so many bytes, what there is: none at the end."""


def _gzip(raw: BinaryIO) -> Reads:
    # `read` would lose what comes before damage.
    return gzip.GzipFile(fileobj=raw, mode="rb").read1


def _zstd(raw: BinaryIO) -> Reads:
    import pyarrow as pa

    return cast("Reads", pa.CompressedInputStream(raw, "zstd").read)


PACKED: dict[str, Callable[[BinaryIO], Reads]] = {
    ".tar.gz": _gzip,
    ".tgz": _gzip,
    ".tar.zst": _zstd,
}
"""Which of `names.TAR_ENDINGS` are of packed tars, and what unpacks them."""


class Unpacked:
    """The bytes of a packed tar. `size` is unknown until the end was met.

    Raises, wherever it reads on:
        MediaError: FMT_BOMB, it grows beyond `MOST_TIMES` its length or beyond `most` bytes, or one
            sample beyond `MOST_HELD`; IO_TRUNCATED, it is cut short or damaged.
        OSError: reading failed.
    """

    def __init__(self, raw: BinaryIO, ending: str, size: int, most: int = MOST) -> None:
        self._next = PACKED[ending](raw)
        self._packed, self._most = size, most
        self._held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._first = self._end = self._at = 0
        self._done = False

    def close(self) -> None:
        """Let everything go."""
        self._held.close()

    def holds(self, end: int) -> bool:
        """Whether there are as many bytes."""
        while self._end < end and not self._done:
            self._go_on()
        return self._end >= end

    def seek(self, at: int) -> int:
        """Go to a byte that was not let go."""
        if at < self._first:
            raise ValueError("that part of the archive was let go")
        self._at = at
        return at

    def read(self, size: int) -> bytes:
        """Up to so many bytes: fewer at the end alone."""
        self.holds(self._at + size)
        self._held.seek(self._at - self._first)
        found = self._held.read(max(0, min(size, self._end - self._at)))
        self._at += len(found)
        return found

    def let_go(self, before: int) -> None:
        """Bytes before this one will not be asked for again."""
        if before - self._first < _WORTH_MOVING or before > self._end:
            return
        self._held.seek(before - self._first)
        rest = self._held.read()
        self._held.close()
        self._held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._held.write(rest)
        self._first = before

    def _go_on(self) -> None:
        try:
            found = self._next(_STEP)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(str(error)) from None
        except OSError as error:
            # pyarrow says so of damage too; what the system says has a number
            if error.errno is not None:
                raise
            raise self._damaged(str(error)) from None
        if not found:
            self._done = True
            return
        self._held.seek(self._end - self._first)
        self._held.write(found)
        self._end += len(found)
        times = self._end / max(1, self._packed)
        if self._end > UNASKED and times > MOST_TIMES:
            said = f"it unpacks to more than {MOST_TIMES} times its length"
            raise MediaError(Reason.FMT_BOMB, said, times, MOST_TIMES)
        if self._end > self._most:
            said = f"it unpacks to more than {self._most} bytes"
            raise MediaError(Reason.FMT_BOMB, said, self._end, self._most)
        if self._end - self._first > MOST_HELD:
            said = f"a sample of it is too large, of about {MOST_HELD} bytes"
            raise MediaError(Reason.FMT_BOMB, said, self._end - self._first, MOST_HELD)

    def _damaged(self, why: str) -> MediaError:
        return MediaError(
            Reason.IO_TRUNCATED,
            f"the packed tar is cut short or damaged ({why or 'no more can be unpacked'}), so what "
            "follows is not known",
        )
