"""Keys of what is measured: everything that a measurement follows from, in one digest.

Content, settings and weights are named by who measures; the code that does it and the libraries
that it stands on are named here.
"""

import importlib.metadata
from pathlib import Path

from mm_model.run import made_by
from mm_model.store import digests
from mm_model.store.closure import PACKAGE

LIBRARIES = (
    "av",
    "decord",
    "dlib-bin",
    "insightface",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "rapidocr",
)
"""Those whose other versions may give other numbers of the same file."""


class Measuring:
    """One way to measure: `entries`, files of the package with all they import, and settings.

    `about` are JSON-able values; `libraries` those that the numbers hang on; `package` is where the
    code lies.
    """

    def __init__(
        self,
        entries: tuple[str, ...],
        about: object,
        libraries: tuple[str, ...] = LIBRARIES,
        package: Path = PACKAGE,
    ) -> None:
        versions = {name: _version(name) for name in libraries}
        self._origin = digests.of_value([made_by.record_of(entries, package), versions, about])

    def key(self, *content: object) -> str:
        """The name of what is measured of one `content` (JSON-able)."""
        return digests.of_value([self._origin, *content])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
