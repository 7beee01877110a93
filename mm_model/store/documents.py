"""Small JSON documents that this project wrote itself, read with one sentence for a damaged one."""

import json
from pathlib import Path
from typing import Any

from mm_model.errors import UserError


def read(path: Path, way_out: str) -> dict[str, Any]:
    """The JSON object in `path`; `way_out` ends the sentence when it is torn or no object.

    Raises:
        UserError: the file holds no JSON object.
        FileNotFoundError: there is none.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no JSON object): {way_out}.")
    return content


def read_or_empty(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, or {} when it is absent or damaged: for what is only shown."""
    try:
        return read(path, "")
    except (OSError, UserError):
        return {}
