"""Small JSON documents that this project wrote itself, read with one sentence for a damaged one."""

import json
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.store import recovery
from mm_model.store.atomic import Document


def read(path: Path, way_out: str | None = None, kind: type = dict) -> Any:
    """The JSON object (or what `kind` says) in `path`.

    `way_out` ends the sentence when the file is torn; without it, it says how to get a published
    output back.

    Raises:
        UserError: the file holds no JSON of that kind.
        FileNotFoundError: there is none.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, kind):
        what = "object" if kind is dict else kind.__name__
        raise UserError(
            f"{path} is damaged (no JSON {what}): {way_out or recovery.way_out_of(path)}."
        )
    return content


def read_or_empty(path: Path) -> Document:
    """The JSON object in `path`, or {} when it is absent or damaged: for what is only shown."""
    try:
        return read(path)
    except (OSError, UserError):
        return {}
