"""A folder of small text files, for tests of what reads them."""

from collections.abc import Mapping
from pathlib import Path


def written(folder: Path, texts: Mapping[str, str]) -> Path:
    """`folder`, with a file of each name (`/` for folders below) that holds its text."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
