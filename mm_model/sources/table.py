"""Which sources there are, and which of them an entry `sources` of `params.yaml` names.

A further one takes its own file, a line in `SOURCES` and its test (docs/ports.md).
"""

from pathlib import Path
from typing import Protocol

from mm_model.run.stage import Job
from mm_model.sources import collection, folder, index, recipe, tars
from mm_model.sources.port import Source


class Kind(Protocol):
    """The module of one kind of source."""

    def fits(self, path: Path, /) -> bool:
        """Whether the path is one of its kind."""
        ...

    def opened(self, path: Path, job: Job, /) -> Source:
        """The source at the path."""
        ...


SOURCES: dict[str, Kind] = {
    "collection": collection,
    "tars": tars,
    "index": index,
    "folder": folder,
    "recipe": recipe,
}
"""Name to module, asked in this order. The last takes what is left, and refuses it in its words."""


def open_source(path: Path, job: Job) -> Source:
    """The source at `path`. What it has to write lies below `job.out`.

    Raises:
        UserError: it cannot be read, or holds nothing that may be used.
    """
    kinds = list(SOURCES.values())
    return next((one for one in kinds if one.fits(path)), kinds[-1]).opened(path, job)
