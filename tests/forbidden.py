"""The edge of the system as a user without rights meets it, for tests that may run as root."""

import io
import os
from pathlib import Path
from typing import Any

import pytest


class Forbidden:
    """Refuses by name, with the error number given: `forbidden.listing = {"ada": errno.EACCES}`.

    `listing` is a folder's content, `looking` an entry's status, `opening` a file's bytes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listing: dict[str, int] = {}
        self.looking: dict[str, int] = {}
        self.opening: dict[str, int] = {}
        for module, call, kind in (
            (os, "scandir", "listing"),
            (os, "stat", "looking"),
            (io, "open", "opening"),
        ):
            monkeypatch.setattr(module, call, self._refusing(getattr(module, call), kind))

    def _refusing(self, real: Any, kind: str) -> Any:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            if isinstance(path, str | Path):
                number = getattr(self, kind).get(Path(path).name)
                if number:
                    raise OSError(number, os.strerror(number), str(path))
            return real(path, *args, **options)

        return call
