"""Which sources there are, and which of them an entry `sources` of `params.yaml` names.

A further one takes its own file, a line in `SOURCES` and its test (docs/ports.md).
"""

import importlib
from pathlib import Path

from mm_model.run.stage import Job
from mm_model.sources.port import Source

SOURCES = {
    "folder": "mm_model.sources.folder",
    "recipe": "mm_model.sources.recipe",
}
"""Name to module, asked in this order: `fits(path)` says whether the path is one of its kind, and
`opened(path, job)` opens it. The last takes whatever is left, and refuses it in its own words."""


def open_source(path: Path, job: Job) -> Source:
    """The source at `path`. What it has to write lies below `job.out`.

    Raises:
        UserError: it cannot be read, or holds nothing that may be used.
    """
    modules = [importlib.import_module(name) for name in SOURCES.values()]
    fitting = next((one for one in modules if one.fits(path)), modules[-1])
    return fitting.opened(path, job)
