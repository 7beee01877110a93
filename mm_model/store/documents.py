"""Small JSON documents that this project wrote itself, read with one sentence for a damaged one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from mm_model.errors import UserError
from mm_model.store import recovery
from mm_model.store.atomic import Document


def read(path: Path, way_out: str | Callable[[], str] | None = None, kind: type = dict) -> Any:
    """The JSON object (or what `kind` says) in `path`.

    `way_out` ends the sentence when the file is torn, or finds its end then; without it, it says
    how to get a published output back.

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
        help_ = way_out() if callable(way_out) else way_out or recovery.way_out_of(path)
        raise UserError(f"{path} is damaged (no JSON {what}): {help_}.")
    return content


def read_or_empty(path: Path) -> Document:
    """The JSON object in `path`, or {} when it is absent or damaged: for what is only shown."""
    try:
        return read(path)
    except (OSError, UserError):
        return {}


_CHUNK = 1 << 20


def entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Key and value of each entry of the JSON object in `path`, in its order; few are held at once.

    Raises:
        UserError: the file holds no JSON object.
        FileNotFoundError: there is none.
    """
    with path.open(encoding="utf-8") as file:
        try:
            yield from _entries(file)
        except (ValueError, RecursionError):
            raise UserError(
                f"{path} is damaged (no JSON object): {recovery.way_out_of(path)}."
            ) from None


def _entries(file: IO[str]) -> Iterator[tuple[str, Any]]:
    text, decoder, opened = "", json.JSONDecoder(), False
    while chunk := file.read(_CHUNK):
        text = (text + chunk).lstrip()
        place = 0
        if not opened and text:
            if text[0] != "{":
                raise ValueError("no object")
            place, opened = _past(text, 1), True
        while place < len(text) and text[place] == '"':
            try:
                key, colon = decoder.raw_decode(text, place)
                colon = _past(text, colon)
                value, end = decoder.raw_decode(text, _past(text, colon + 1))
                end = _past(text, end)
                whole = text[colon] == ":" and text[end] in ",}"
            except (ValueError, IndexError):
                break  # it goes on in the next chunk
            if not whole:
                raise ValueError("no object")
            yield key, value
            place = _past(text, end + 1) if text[end] == "," else end
        text = text[place:]
    if not opened or text.rstrip() != "}":
        raise ValueError("it ends too early, or late")


def _past(text: str, place: int) -> int:
    """The next place that is no white space."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
