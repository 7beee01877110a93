"""The consent record of a folder of real people: on what basis their pictures may be used.

Read from `consent.yaml` in the folder, or given for the whole folder in the profile. Without one,
nothing of the folder is read further. There are no age weights: the record states adulthood.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_model.errors import UserError
from mm_model.store.walk import why

NAME = "consent.yaml"

HOW = (
    f"put a {NAME} there with 'basis: <why these pictures may be used>' and 'adults: true' "
    "(everyone shown is an adult), or give CONSENT='<basis>' for the whole folder, "
    "which states the same"
)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    basis: str = Field(min_length=3, max_length=300)
    adults: Literal[True]
    files: list[str] | None = Field(default=None, min_length=1)


@dataclass(frozen=True)
class Consent:
    """`basis` covers the files whose relative name matches one of `patterns` (None: all)."""

    basis: str
    patterns: tuple[str, ...] | None = None

    def covers(self, relative: str) -> str | None:
        """The basis for the file of this name, or None when the record leaves it out.

        In a pattern, `*` matches across folders.
        """
        if self.patterns is None:
            return self.basis
        return self.basis if any(fnmatch.fnmatchcase(relative, p) for p in self.patterns) else None


def consent_for(folder: Path, basis: str | None) -> Consent:
    """The record of `folder`; `basis` is the profile's, used when the folder holds no record.

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
    if basis and basis.strip():
        return Consent(basis.strip())
    raise UserError(f"{folder} has no consent record: {HOW}.")


def _read(path: Path) -> Consent:
    try:
        record = _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"{path} is no valid YAML with 'basis:' and 'adults: true'.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(
            f"{path}: {where}: {first['msg']}: it must hold 'basis: <text>', 'adults: true' and "
            "may list 'files:' as name patterns."
        ) from None
    return Consent(record.basis.strip(), tuple(record.files) if record.files else None)
