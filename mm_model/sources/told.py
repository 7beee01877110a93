"""What is said of a source's files: its terms, the record of consent, what becomes of captions.

Every source on disk makes its items here, so that licence, consent and captions follow one rule.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mm_model.media.captions import CaptionError
from mm_model.media.consent import ConsentRecord, consent_for, keep
from mm_model.media.failure import MediaError
from mm_model.media.terms import BORDERS, WHO, Terms, pool_of, terms_of
from mm_model.nn.identity.subject import CLASS_WORDS
from mm_model.run.stage import Job
from mm_model.sources.port import Item
from mm_model.store import digests
from mm_model.store.consents import Statement

Said = str | CaptionError | None
"""A caption, or why it cannot be read; None where there is none."""

_SHOWN = re.compile(rf"\b(?:{'|'.join(CLASS_WORDS)})\b", re.IGNORECASE)
_SOMEBODY = "person"


@dataclass(frozen=True)
class Own:
    """What a file says of itself, None where it is silent. `keyframe` is a caption too."""

    caption: Said = None
    keyframe: Said = None
    licence: str | None = None
    origin: str | None = None
    subject: str | None = None


class Told:
    """The terms of one folder, applied to its files.

    Raises:
        UserError: the pool of captions cannot be read, or the consent cannot be recorded.
    """

    def __init__(self, folder: Path, terms: Terms, record: ConsentRecord, root: Path) -> None:
        self.terms = terms
        self._record, self._root = record, root
        self._pool = pool_of(folder, terms.captions)
        self._kept: dict[Statement, Statement] = {}
        if record.statement is not None:
            self._recorded(record.statement)

    def item(
        self,
        name: Path,
        content: Path | bytes,
        problem: MediaError | None = None,
        own: Own | None = None,
    ) -> Item:
        """The item of this name, with what is said of it."""
        own = own or Own()
        statement = self._record.of(name.as_posix(), own.licence)
        caption, origin = self._caption(name, own)
        return Item(
            name,
            content,
            problem,
            caption=caption,
            caption_origin=origin,
            consent=self._recorded(statement) if statement else None,
            subject=own.subject,
            licence=own.licence or self.terms.licence,
            origin=own.origin or self.terms.origin,
            framing=BORDERS if self.terms.framing == BORDERS else None,
        )

    def _recorded(self, statement: Statement) -> Statement:
        """As it stands in the file of consents, where each is put once."""
        if statement not in self._kept:
            self._kept[statement] = keep(statement, self._root)
        return self._kept[statement]

    def _caption(self, name: Path, own: Own) -> tuple[Said, str | None]:
        """The caption, and where it comes from; None: it is the file's own."""
        rules = self.terms.captions
        if rules.own and own.caption is not None:
            return own.caption, None
        if rules.keyframes and own.keyframe is not None:
            return own.keyframe, "keyframe"
        if not self._pool:
            return None, None
        number = int(digests.of_bytes(bytes(name))[:16], 16)
        line = self._pool[number % len(self._pool)]
        return line.replace(WHO, f"a {_shown(own.caption, own.keyframe)}"), "pool"


def told_of(path: Path, job: Job) -> Told:
    """What is said of a source that stands alone.

    Raises:
        UserError: no consent record, or a `source.yaml` that says what nobody can mean.
    """
    named, terms = job.profile.sources.consent, terms_of(path)
    record = consent_for(path, Statement(named) if named else None, terms)
    return Told(path, terms, record, job.layout.root)


def _shown(*said: Said) -> str:
    """The word for who is shown that the first of the captions holds, else "person"."""
    for text in said:
        if isinstance(text, str) and (found := _SHOWN.search(text)):
            return found[0].lower()
    return _SOMEBODY
