"""The port of a source: files of somebody's, each with what is said of it.

A source lists and reads; it judges no content. What kind of media a file is, nobody is asked: stage
`ingest` tells that from the bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mm_model.media.captions import CaptionError
from mm_model.media.failure import MediaError
from mm_model.store.consents import Statement


@dataclass(frozen=True)
class Item:
    """One file that a source offers.

    name: relative, and nobody else's; it may hold bytes that are no text. content: where the file
    lies, or its bytes where it lies in no file of its own. problem: why it must not be opened.
    caption: its own, or why that cannot be read; None when it has none. consent: on what basis it
    may be used (a licence is one); None when no record covers it. subject: who is shown, as far as
    the source tells by a name or folder. split: `train` or `held_out`, where the source says so.
    caption_origin: `keyframe` or `pool` where the source put another in the place of its own.
    source: of a collection, the name of the one it is from. licence, origin: as the source words
    them. framing: `borders` where training is to show it whole, between black borders.
    """

    name: Path
    content: Path | bytes
    problem: MediaError | None = None
    caption: str | CaptionError | None = None
    consent: Statement | None = None
    subject: str | None = None
    split: str | None = None
    caption_origin: str | None = None
    source: str | None = None
    licence: str | None = None
    origin: str | None = None
    framing: str | None = None


@dataclass(frozen=True)
class Remarks:
    """What a source says of itself once it was read: sentences for the user, and a figure."""

    notes: tuple[str, ...] = ()
    captions_unused: int = 0


class Source(Protocol):
    """Where raw files come from. `synthetic`: all who are shown were drawn here, nobody is real."""

    synthetic: bool

    def __len__(self) -> int:
        """How many items there are."""
        ...

    def items(self) -> Iterator[Item]:
        """Each file once, in an order that equal sources share."""
        ...

    def remarks(self) -> Remarks:
        """What is to be said when all items were read."""
        ...
