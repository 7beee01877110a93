"""Checks untrusted media in confined workers that may hang, crash or be killed; this process lives.

One worker serves many files and is replaced when a file brings it down. The verdict on such a file
is reached after a second try in a fresh worker. Nothing is decoded in this process.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from mm_model.media.failure import MediaError
from mm_model.media.looks import Looks, WantedLooks
from mm_model.records import Reason
from mm_model.run.pools.port import Crashed, Limits, Pool
from mm_model.run.pools.table import open_pool
from mm_model.store.atomic import Document

Facts = Document


@dataclass(frozen=True)
class Allowance:
    """What one file may cost: seconds of processor time, memory, pixels, frames; and its shape."""

    seconds: float
    memory_mb: int
    max_pixels: int
    max_frames: int
    max_aspect: float | None = None


class Examiner(Protocol):
    """What checks files: a sandbox, or one beside which something else looks."""

    @property
    def allowance(self) -> Allowance:
        """What one file may cost."""
        ...

    def check_all(self, requests: Sequence[tuple[Path, bool]]) -> Iterator[Facts | MediaError]:
        """As `Sandbox.check_all`."""
        ...


@dataclass(frozen=True)
class Sandbox:
    """Files are checked by the workers of `pool`; see `opened`."""

    allowance: Allowance
    pool: Pool

    def check(self, path: Path, thumbnail: bool = False) -> Facts:
        """Facts of the file, as `media.examine.examine` lists them.

        Raises:
            MediaError: its reason; VID_DECODE_TIMEOUT when it hangs the worker and
                SYS_WORKER_CRASH when it brings the worker down, each on both of two tries.
        """
        (found,) = self.check_all([(path, thumbnail)])
        if isinstance(found, MediaError):
            raise found
        return found

    def check_all(self, requests: Sequence[tuple[Path, bool]]) -> Iterator[Facts | MediaError]:
        """For each (path, thumbnail), in order: its facts, or the failure, returned."""
        odd = [_oddity(path) for path, _ in requests]
        asked = [
            (self.allowance, path.absolute(), thumbnail)
            for (path, thumbnail), oddity in zip(requests, odd, strict=True)
            if oddity is None
        ]
        replies = self.pool.map(_answer, asked)
        for oddity in odd:
            yield self._verdict(next(replies)) if oddity is None else oddity

    def _verdict(self, reply: Document | Crashed) -> Facts | MediaError:
        if isinstance(reply, Crashed):
            if not reply.late:
                said = "the decoder crashed on this file, twice"
                return MediaError(Reason.SYS_WORKER_CRASH, said)
            seconds = self.allowance.seconds
            said = "decoding did not end in time"
            return MediaError(Reason.VID_DECODE_TIMEOUT, said, seconds, seconds)
        if "facts" in reply:
            return reply["facts"]
        return MediaError(
            Reason(reply["reason"]),
            reply["message"],
            reply["value"],
            reply["threshold"],
            reply["measured"],
        )


@contextmanager
def opened(
    allowance: Allowance, number: int = 1, looks: WantedLooks | None = None
) -> Iterator[Sandbox]:
    """A sandbox of `number` workers, each with the allowance for every file and what `looks` ask.

    Raises:
        UserError: a package that `looks` take is absent.
    """
    wanted = looks or WantedLooks()
    for package in wanted.packages:
        package.weights()
    limits = Limits(allowance.seconds, allowance.memory_mb, confined=True)
    with closing(open_pool(partial(_libraries, wanted), number, limits)) as pool:
        yield Sandbox(allowance, pool)


def _oddity(path: Path) -> MediaError | None:
    """Only regular files are opened: a pipe would block, a device may do anything."""
    if not os.path.lexists(path):
        return MediaError(Reason.SYS_IO, "the file is gone")
    if not path.is_file():
        return MediaError(Reason.IO_UNREADABLE, "not a regular file")
    return None


def _libraries(wanted: WantedLooks) -> Looks:
    """What a worker opens before it is confined: decoders, quiet and on one thread, and looks."""
    import warnings

    import av
    import cv2
    import PIL.Image
    import PIL.ImageCms

    from mm_model.media import (
        examine,  # noqa: F401
        looks,
    )

    PIL.Image.preinit()
    cv2.setNumThreads(1)
    av.logging.set_level(None)
    warnings.simplefilter("ignore")
    return looks.opened(wanted)


def _answer(looks: Looks, request: tuple[Allowance, Path, bool]) -> Document:
    """In a worker: facts of one file, or its failure, as a JSON-able reply."""
    from mm_model.media.examine import MediaLimits, examine

    allowed, path, thumbnail = request
    bounds = MediaLimits(allowed.max_pixels, allowed.max_frames, allowed.max_aspect)
    try:
        return {"facts": examine(path, bounds, thumbnail, looks)}
    except MediaError as error:
        return _failure(error)
    except MemoryError:
        said = "decoding needs more memory than allowed (ingest.decode_memory_mb)"
        return _failure(MediaError(Reason.FMT_BOMB, said, None, allowed.memory_mb))
    except Exception as error:
        # Damaged data can surprise any library: the file fails, the batch goes on.
        said = f"the check failed unexpectedly: {type(error).__name__}: {error}"
        return _failure(MediaError(Reason.SYS_WORKER_CRASH, said))


def _failure(error: MediaError) -> Document:
    return {
        "reason": error.reason,
        "message": error.message,
        "value": error.value,
        "threshold": error.threshold,
        "measured": error.measured,
    }
