"""The consent of a request: on what basis a likeness is used, and where the evidence for it lies.

A basis comes from a closed list and an evidence id names a record that the sender keeps; words
alone are no consent. It is a statement of the sender, which nobody checks against the evidence. No
sentence of a refusal quotes it.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.serving.refusal import Code, Refusal
from mm_model.store import consents
from mm_model.store.consents import EVIDENCE, Basis, Statement
from mm_model.store.layout import repository_root

MAX_TEXT_CHARACTERS = 2000
_LOG = logging.getLogger(__name__)
_FIELDS = ("basis", "evidence", "text")


_BASES = ", ".join(Basis)
_FORM = (
    '{"basis": ..., "evidence": ...}, where basis is one of ' + _BASES + " and evidence is the id "
    "of the record that shows it (1 to 64 letters, digits or ._:-, a letter or digit first)"
)
_COMMAND_FORM = f"<basis>:<evidence>, with basis one of {_BASES} and evidence the id of a record"


@dataclass(frozen=True)
class Consent:
    """What a sender states. `text` is the sender's own words: never logged, shown or tracked."""

    basis: Basis
    evidence: str
    text: str | None = None

    @property
    def id(self) -> str:
        """`<basis>:<evidence>`: it may be shown and tracked."""
        return f"{self.basis.value}:{self.evidence}"

    @property
    def digest(self) -> str:
        """Hex SHA-256 over basis, evidence and text: it may be shown and tracked."""
        return Statement(self.id, self.text).digest

    def __repr__(self) -> str:
        return f"Consent({self.id}, {self.digest[:12]})"


def read_consent(value: Any) -> Consent:
    """The consent of a record.

    Raises:
        Refusal: there is none (`no_consent`), or it has another form (`consent_form`).
    """
    if value is None or value == {} or (isinstance(value, str) and not value.strip()):
        raise Refusal(Code.NO_CONSENT, f"consent is missing: state it as {_FORM}.")
    if isinstance(value, str):
        raise _wrong(f"words alone are no consent: state it as {_FORM}; words may go into text")
    if not isinstance(value, Mapping):
        raise _wrong(f"it must be an object {_FORM}")
    if any(name not in _FIELDS for name in value):
        raise _wrong(f"it may hold only {', '.join(_FIELDS)}")
    return Consent(
        _basis(value.get("basis")), _evidence(value.get("evidence")), _text(value.get("text"))
    )


def parse(stated: str) -> Consent:
    """The consent that a command line states as `basis:evidence`.

    Raises:
        Refusal: it is empty or has another form.
    """
    basis, colon, evidence = stated.strip().partition(":")
    if not stated.strip():
        raise Refusal(Code.NO_CONSENT, f"consent is missing: give it as {_COMMAND_FORM}.")
    if not colon:
        raise _wrong(f"words alone are no consent: give it as {_COMMAND_FORM}")
    return read_consent({"basis": basis, "evidence": evidence})


def record(consent: Consent, root: Path | None = None) -> None:
    """Put `consent` into the file of consents before anything is made on its strength.

    The file is the one that `MM_CONSENTS` names, else `work/likeness/consents.jsonl` below `root`
    (`MM_ROOT`, else the working directory). The log gets id and digest.

    Raises:
        Refusal: it cannot be recorded (`consent_unrecorded`), so the request is not served.
    """
    try:
        path = consents.path_below(root or repository_root())
        consents.record(path, Statement(consent.id, consent.text))
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else "the file cannot be written"
        raise Refusal(
            Code.CONSENT_UNRECORDED,
            f"The consent cannot be recorded ({why}), so the request is not served: tell who runs "
            "this server, and try again later.",
        ) from None
    _LOG.info("consent %s, digest %s", consent.id, consent.digest[:12])


def _basis(value: Any) -> Basis:
    if isinstance(value, str) and value in list(Basis):
        return Basis(value)
    raise _wrong(f"basis must be one of {_BASES}")


def _evidence(value: Any) -> str:
    if isinstance(value, str) and EVIDENCE.fullmatch(value):
        return value
    raise _wrong(
        "evidence must be the id of the record that shows the basis: 1 to 64 letters, digits or "
        "._:-, a letter or digit first"
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong("text must be text")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise _wrong(f"text may have at most {MAX_TEXT_CHARACTERS} characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong("text holds broken Unicode")
    return value.strip() or None


def _wrong(why: str) -> Refusal:
    return Refusal(Code.CONSENT_FORM, f"consent cannot be used: {why}.")
