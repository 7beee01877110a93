"""The consent record of a folder of real people: on what basis their pictures may be used.

Read from `consent.yaml` in the folder, or named for the whole folder in the profile. Without one,
nothing of the folder is read further. There are no age weights: the record states adulthood. Its
words go into the file of consents (`mm_model.store.consents`) and nowhere else.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_model.errors import UserError
from mm_model.store import consents, handwritten
from mm_model.store.consents import Statement
from mm_model.store.walk import why

NAME = "consent.yaml"

HOW = (
    f"put a {NAME} there with 'basis: <why these pictures may be used>' and 'adults: true' "
    "(everyone shown is an adult), or give CONSENT='<basis>' for the whole folder, "
    "which states the same"
)


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    basis: str = Field(min_length=3, max_length=300)
    adults: Literal[True]
    files: list[str] | None = Field(default=None, min_length=1)


@dataclass(frozen=True)
class ConsentRecord:
    """`statement` covers the files whose relative name matches one of `patterns` (None: all)."""

    statement: Statement
    patterns: tuple[str, ...] | None = None

    def covers(self, relative: str) -> bool:
        """Does the record cover the file of this name? In a pattern, `*` matches across folders."""
        if self.patterns is None:
            return True
        return any(fnmatch.fnmatchcase(relative, pattern) for pattern in self.patterns)


def consent_for(folder: Path, stated: Statement | None) -> ConsentRecord:
    """The record of `folder`; `stated` is what counts when the folder holds no record.

    Raises:
        UserError: no record, or one that is incomplete or cannot be read.
    """
    path = folder / NAME
    try:
        if path.is_file():
            return _read(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}), so nothing of the folder is used: give this "
            "user permission to read it."
        ) from None
    if stated is not None:
        return ConsentRecord(stated)
    raise UserError(f"{folder} has no consent record: {HOW}.")


def _read(path: Path) -> ConsentRecord:
    try:
        record = _Written.model_validate(handwritten.read(path.read_text("utf-8")).content)
    except handwritten.Twice as error:  # nor is a sentence repeated that stands for a key
        one, other = error.lines
        raise UserError(
            f"{path}: the same key stands twice (lines {one} and {other}): leave one of them."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise UserError(f"{path} is no valid YAML with 'basis:' and 'adults: true'.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]) if first["loc"] else ""
        # A sentence may stand where the name of a field should: it is not repeated.
        where = f"{where}: " if where in _Written.model_fields else ""
        raise UserError(
            f"{path}: {where}{first['msg']}: it must hold 'basis: <text>', 'adults: true' and "
            "may list 'files:' as name patterns."
        ) from None
    return ConsentRecord(
        consents.stated(record.basis), tuple(record.files) if record.files else None
    )


def keep(statement: Statement, root: Path) -> Statement:
    """Put `statement` into the file of consents of the tree `root`; returns what stands there.

    Words that only their id is left of (a profile names them) must stand there already.

    Raises:
        UserError: the file cannot be written, or does not hold the words.
    """
    path = consents.path_below(root)
    try:
        if statement.text is None and consents.is_of_words(statement.id):
            found = consents.find(path, statement.id)
            if found is None:
                raise UserError(
                    f"The words of consent {statement.id} are not in {path}: give them again "
                    f"(make run SOURCES=... CONSENT='<basis>'), or put a {NAME} into the folder."
                )
            return found
        consents.record(path, statement)
        return statement
    except OSError as error:
        raise UserError(
            f"The consent cannot be recorded in {path} ({why(error)}), so nothing of the folder is "
            "used: mend that and run again."
        ) from None
