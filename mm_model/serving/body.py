"""From the bytes of a body to the one record in it, refusing whatever a record cannot be.

The door reads bodies itself, since MLflow's reader quotes what it cannot read and drops keys beside
the record. JSON is parsed only when it holds few marks, so that no body, however hostile, keeps the
interpreter for long: a record is a handful of fields and long texts without a mark.
"""

import json
from collections.abc import Iterable
from typing import Any

from mm_model.serving.refusal import Code, Refusal
from mm_model.serving.request import FIELDS
from mm_model.settings import ServeSettings
from mm_model.store.atomic import Document

JSON = "application/json"
_FORM = '{"dataframe_records": [{...}]}'
_RECORD_KEYS = ("dataframe_records", "inputs", "instances", "dataframe_split")
_SPLIT_KEYS = {"columns", "data", "index"}
_MARKS = b',:[{"'
_ESCAPE = b"\\"
_ROOM = 65_536
"""Bytes of a body that is no picture, and marks that are no comma of the prompt (design choice)."""
_ESCAPED_SHARE = 32
"""A body may hold one backslash in this many bytes: some writers of JSON escape the slash, every
64th character of base64."""


def most_bytes(limits: ServeSettings) -> int:
    """The largest body that can hold a record within `limits`, slashes escaped."""
    picture = (limits.max_reference_bytes + 2) // 3 * 4
    return limits.max_references * (picture + picture // _ESCAPED_SHARE) + _texts(limits)


def _texts(limits: ServeSettings) -> int:
    return _ROOM + 12 * limits.max_prompt_characters  # a character as two JSON escapes of six


class Marks:
    """Counts what a record has little of, piece by piece as a body arrives."""

    def __init__(self, limits: ServeSettings) -> None:
        self._marks = _ROOM + 2 * limits.max_prompt_characters
        self._escapes = most_bytes(limits) // _ESCAPED_SHARE

    def count(self, piece: bytes) -> None:
        """Take account of the next piece.

        Raises:
            Refusal: the body holds more marks than a record can.
        """
        self._marks -= len(piece) - len(piece.translate(None, _MARKS))
        self._escapes -= piece.count(_ESCAPE)
        if self._marks < 0 or self._escapes < 0:
            raise Refusal(
                Code.NOT_JSON,
                "The body holds more brackets, commas, quotes or backslashes than a record can: "
                f"send one record as {_FORM}.",
            )


def check_content_type(values: Iterable[str]) -> None:
    """Return if a request says that it sends JSON in UTF-8.

    Raises:
        Refusal: it says something else, or nothing.
    """
    said = [value.strip().lower() for value in values]
    kind, _, parameters = (said[0] if len(said) == 1 else "").partition(";")
    named = {part.strip().replace('"', "") for part in parameters.split(";")} - {""}
    if kind.strip() != JSON or not named <= {"charset=utf-8", "charset=utf8"}:
        raise Refusal(
            Code.CONTENT_TYPE, f"Send the record as JSON in UTF-8, with Content-Type: {JSON}."
        )


def in_chunks() -> Refusal:
    """What to say of a body whose length is not said first."""
    return Refusal(
        Code.CHUNKS, "The body must not come in chunks: say its length in Content-Length."
    )


def record_in(body: bytes | bytearray) -> Any:
    """What a body holds as its record: a mapping, a list of one, or something to be refused.

    Raises:
        Refusal: the body is no JSON object in UTF-8, or holds other things beside the record.
    """
    try:
        sent = json.loads(body.decode("utf-8"), object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError too
        raise Refusal(
            Code.NOT_JSON, f"The body must be JSON in UTF-8: one record as {_FORM}."
        ) from None
    if not isinstance(sent, dict):
        raise _not_one()
    for name in sent:
        if name not in _RECORD_KEYS:
            raise _beside(name)
    if len(sent) != 1:
        raise _not_one()
    (kind, record), *_ = sent.items()
    return _from_split(record) if kind == "dataframe_split" else record


def _each_key_once(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refusal(Code.NOT_JSON, "The body names a key twice: which value counts is not said.")
    return found


def _not_one() -> Refusal:
    return Refusal(
        Code.NOT_ONE_RECORD,
        f'Send one record a request, as {_FORM} or {{"inputs": [{{...}}]}}, with the fields '
        + ", ".join(FIELDS)
        + ".",
    )


def _beside(name: str) -> Refusal:
    if name == "params":
        return Refusal(Code.UNKNOWN_FIELD, "params are not used: put every field into the record.")
    # Only a short plain word is shown: a picture may have slipped into the name.
    plain = name.isidentifier() and len(name) < 20
    return Refusal(
        Code.UNKNOWN_FIELD,
        f"Unknown key{f' {name}' if plain else ''} beside the record: send nothing but {_FORM}.",
    )


def _from_split(table: Any) -> Document:
    """The record in pandas' split form, which MLflow's own client sends."""
    if not isinstance(table, dict) or not table.keys() <= _SPLIT_KEYS:
        raise _not_one()
    names, rows = table.get("columns"), table.get("data")
    if not (isinstance(names, list) and isinstance(rows, list) and len(rows) == 1):
        raise _not_one()
    row = rows[0]
    if not isinstance(row, list) or not all(isinstance(name, str) for name in names):
        raise _not_one()
    if len(row) != len(names) or len(set(names)) != len(names):
        raise _not_one()
    return dict(zip(names, row, strict=True))
