"""A source for tests: files that lie in no file of their own, as in an archive."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from mm_model.media.captions import CaptionError
from mm_model.media.failure import MediaError
from mm_model.records import CaptionProblem, Reason
from mm_model.run.stage import Job
from mm_model.sources.port import Item, Remarks
from mm_model.store.consents import Statement

LICENCE = Statement("licence:cc-by-4.0")


def fits(path: Path) -> bool:
    """An archive, by its name."""
    return path.suffix == ".crate"


def opened(path: Path, job: Job) -> "Crate":
    """The archive at `path`."""
    return Crate()


def picture(shade: int) -> bytes:
    """A picture as bytes."""
    content = BytesIO()
    Image.fromarray(np.full((80, 80, 3), shade, np.uint8)).save(content, "PNG")
    return content.getvalue()


class Crate:
    """Four files: good ones, one that climbs out of its folder by name, one that cannot be read."""

    synthetic = False

    def __len__(self) -> int:
        return 4

    def items(self) -> Iterator[Item]:
        """See `sources.port`."""
        yield Item(Path("a/1.png"), picture(10), None, "a man waves", LICENCE, "ada")
        yield Item(
            Path("a/2.png"),
            picture(90),
            None,
            CaptionError(CaptionProblem.NOT_TEXT, "the caption is no text"),
        )
        yield Item(Path("../../../escaped.png"), picture(200), None, None, LICENCE)
        yield Item(Path("b/3.png"), b"", MediaError(Reason.IO_TRUNCATED, "the archive ends"))

    def remarks(self) -> Remarks:
        """See `sources.port`."""
        return Remarks(("the archive was closed early",), 2)
