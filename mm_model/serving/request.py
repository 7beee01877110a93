"""The request record: what fields there are, their types and limits.

Turns what MLflow hands over into one checked `Request`, or refuses with one sentence. It decodes
base64 but opens no picture, loads no model and never quotes a value it was sent.
"""

import base64
import binascii
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mm_model.serving import fields
from mm_model.serving.consent import Consent, read_consent
from mm_model.serving.policy import check_prompt
from mm_model.serving.refusal import Code, Refusal
from mm_model.settings import ServeSettings
from mm_model.store.atomic import Document

FIELDS = ("prompt", "reference_images", "consent", *(one.name for one in fields.FIELDS))


@dataclass(frozen=True, kw_only=True)
class Request(fields.Numbers):
    """A record within all limits. `references` are encoded pictures, not opened yet."""

    prompt: str
    references: tuple[bytes, ...]
    consent: Consent


def one_record(handed: Any) -> Document:
    """The one record in a data frame, a list of one record, or a plain mapping.

    Raises:
        Refusal: there is none, or more than one.
    """
    if hasattr(handed, "to_dict") and hasattr(handed, "columns"):
        handed = handed.to_dict(orient="records")
    elif hasattr(handed, "tolist"):
        handed = handed.tolist()
    if isinstance(handed, list) and len(handed) == 1:
        handed = handed[0]
    if not isinstance(handed, Mapping):
        raise Refusal(
            Code.NOT_ONE_RECORD,
            'Send one record a request, as {"dataframe_records": [{...}]} or '
            '{"inputs": [{...}]}, with the fields ' + ", ".join(FIELDS) + ".",
        )
    record = {key: _plain(value) for key, value in handed.items()}
    if record and all(_is_column_of_one(value) for value in handed.values()):
        # What "instances" becomes; an object lies in an array of its own.
        return {key: _plain(value[0]) for key, value in record.items()}
    return record


def _is_column_of_one(value: Any) -> bool:
    return hasattr(value, "tolist") and getattr(value, "shape", ())[:1] == (1,)


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python values."""
    return value.tolist() if hasattr(value, "tolist") else value


def read(handed: Any, limits: ServeSettings, default_frames: int) -> Request:
    """Check everything that needs no picture and no model.

    Raises:
        Refusal: with the first rule that the record breaks.
    """
    record = one_record(handed)
    _fields(record)
    consent = read_consent(record.get("consent"))
    _present(record)
    prompt = _prompt(record["prompt"], limits.max_prompt_characters)
    check_prompt(prompt, consent.basis)
    model = fields.Model(limits, default_frames)
    _size(record, model)
    return Request(
        consent=consent,
        prompt=prompt,
        **fields.read(record, model),
        references=_references(record["reference_images"], limits),
    )


def _fields(record: Mapping[Any, Any]) -> None:
    for name in record:
        if name not in FIELDS:
            # Only a short plain word is shown: a picture may have slipped into the name.
            plain = isinstance(name, str) and name.isidentifier() and len(name) < 20
            raise Refusal(
                Code.UNKNOWN_FIELD,
                f"Unknown field{f' {name}' if plain else ''}: a record may hold only "
                + ", ".join(FIELDS)
                + ".",
            )


def _present(record: Mapping[Any, Any]) -> None:
    for name in ("prompt", "reference_images"):
        if record.get(name) is None:
            raise Refusal(Code.MISSING_FIELD, f"The record lacks the field {name}.")


def _prompt(value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise Refusal(Code.WRONG_TYPE, "prompt must be text.")
    if not value.strip():
        raise Refusal(Code.PROMPT_EMPTY, "prompt is empty: describe the person and the action.")
    if len(value) > longest:
        raise Refusal(
            Code.PROMPT_TOO_LONG, f"prompt may have at most {longest} characters, not {len(value)}."
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise Refusal(
            Code.PROMPT_CHARACTERS,
            "prompt holds control characters or broken Unicode: send plain text in one line.",
        )
    return value.strip()


def _size(record: Mapping[str, Any], model: fields.Model) -> None:
    size = tuple(one.read(record, model) for one in fields.by_option()["size"])
    if size not in model.limits.sizes:
        allowed = ", ".join(f"{high}x{wide}" for high, wide in model.limits.sizes)
        raise Refusal(Code.SIZE, f"height and width must be one of {allowed} (height x width).")


def _references(value: Any, limits: ServeSettings) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refusal(
            Code.WRONG_TYPE, "reference_images must be a list of pictures as base64 texts."
        )
    if not 1 <= len(value) <= limits.max_references:
        raise Refusal(
            Code.REFERENCE_COUNT,
            f"reference_images must hold 1 to {limits.max_references} pictures, not {len(value)}.",
        )
    return tuple(
        _decoded(text, number, limits.max_reference_bytes)
        for number, text in enumerate(value, start=1)
    )


def _size_of(number: int) -> str:
    """A number of bytes, in words."""
    return f"{number / 2**20:.3g} MB" if number >= 2**20 else f"{number} bytes"


def _decoded(text: str, number: int, most: int) -> bytes:
    too_large = Refusal(
        Code.PICTURE_TOO_LARGE,
        f"Reference picture {number} is larger than {_size_of(most)}: save it smaller, and send "
        "that.",
    )
    if len(text) > (most + 2) // 3 * 4:
        raise too_large
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(
            Code.NOT_BASE64,
            f"Reference picture {number} is not base64: send the file's bytes in base64, "
            "without a data: prefix or line breaks.",
        ) from None
    if len(content) > most:
        raise too_large
    return content
