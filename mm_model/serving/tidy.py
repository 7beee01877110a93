"""Keeps a served release's folder as it was registered: Python adds no byte code to it."""

import shutil
import sys
from pathlib import Path


def leave_no_byte_code(folder: Path) -> None:
    """Remove the byte code that loading the release in `folder` left there, and write no more.

    `mlflow models serve` runs the release where it lies; byte code left there would make the next
    check of the folder fail. Does nothing where `folder` is no release.
    """
    if not (folder / "MLmodel").is_file():
        return
    sys.dont_write_bytecode = True
    for place in list(folder.rglob("__pycache__")):
        shutil.rmtree(place, ignore_errors=True)
