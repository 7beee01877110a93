"""The consent record of a folder of real people: on what basis their pictures may be used.

Read from `consent.yaml` in the folder, from its `source.yaml` (a licence is a basis), or named for
the whole folder in the profile. Without one, nothing of the folder is read further. There are no
age weights: the record states adulthood. Its words go into the file of consents
(`mm_model.store.consents`) and nowhere else.
"""

import contextlib
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_model.errors import UserError
from mm_model.media.terms import Terms, parts_of, terms_of
from mm_model.store import consents, handwritten
from mm_model.store.consents import Statement
from mm_model.store.walk import why

NAME = "consent.yaml"

RECORD_HOW = (
    f"put a {NAME} there with 'basis: <why these pictures may be used>' and 'adults: true' "
    "(everyone shown is an adult), or a source.yaml with 'licence: <id>' and 'adults: true'"
)
HOW = f"{RECORD_HOW}, or give CONSENT='<basis>' for the whole folder, which states the same"


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    basis: str = Field(min_length=3, max_length=300)
    adults: Literal[True]
    files: list[str] | None = Field(default=None, min_length=1)


@dataclass(frozen=True)
class ConsentRecord:
    """`statement` covers the files whose relative name matches one of `patterns` (None: all).

    Where `terms` say it, the statement is of a file's own licence, and may be None for a file
    without any. `prefix` is what patterns see in front of a name.
    """

    statement: Statement | None
    patterns: tuple[str, ...] | None = None
    terms: Terms | None = None
    prefix: str = ""

    def covers(self, relative: str) -> bool:
        """Does the record cover the file of this name? In a pattern, `*` matches across folders."""
        if self.patterns is None:
            return True
        name = self.prefix + relative
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns)

    def of(self, relative: str, licence: str | None) -> Statement | None:
        """The statement for one file of this name and licence; None when nothing covers it."""
        if not self.covers(relative):
            return None
        return self.statement if self.terms is None else self.terms.statement(licence)


def consent_for(
    folder: Path, stated: Statement | None, terms: Terms | None = None, *, how: str = HOW
) -> ConsentRecord:
    """The record of `folder`; `stated` is what counts when the folder holds no record.

    `terms` are what its `source.yaml` says, read when they are not given. `how` ends the refusal.

    Raises:
        UserError: no record, or one that is incomplete or cannot be read.
    """
    if record := _own(folder, terms):
        return record
    if stated is not None:
        return ConsentRecord(stated)
    with contextlib.suppress(OSError):
        if not any(folder.iterdir()):
            how = f"if its disk is away, bring it back; else {how}"
            raise UserError(f"{folder} has no consent record, and nothing else: {how}.")
    raise UserError(f"{folder} has no consent record: {how}.")


def consents_of(folder: Path, stated: Statement | None) -> dict[str, ConsentRecord]:
    """The record of each source of a collection by its name, of any other folder under "".

    A source without a record of its own goes by the collection's, that one's patterns by names
    with the source's in front.

    Raises:
        UserError: as `consent_for`, of a source.
    """
    terms = terms_of(folder)
    if terms.kind != "collection":
        return {"": consent_for(folder, stated, terms)}
    above = _own(folder, terms)
    found = {}
    for name, (place, said) in parts_of(folder, terms).items():
        if record := _own(place, said):
            found[name] = record
        elif above:
            found[name] = replace(above, prefix=f"{name}/")
        else:
            found[name] = consent_for(place, stated, said)
    return found


def statements(records: Iterable[ConsentRecord]) -> list[Statement]:
    """What the records state as a whole, each once, in order."""
    return list(dict.fromkeys(record.statement for record in records if record.statement))


def _own(folder: Path, terms: Terms | None) -> ConsentRecord | None:
    """The record that lies in the folder, if any: its consent.yaml before its source.yaml."""
    path = folder / NAME
    try:
        if path.is_file():
            return _read(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}), so nothing of the folder is used: give this "
            "user permission to read it."
        ) from None
    terms = terms_of(folder) if terms is None else terms
    if terms.consent or terms.adults:
        return ConsentRecord(terms.statement(), terms=terms)
    return None


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
