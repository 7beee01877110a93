"""On what basis a dataset may be used: licences, origins and consents, by number.

Consents go by their ids; the words of one lie in the file of consents and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mm_model.card.outputs import DataOutput, every, tally
from mm_model.store import consents

NOT_RECORDED = "not recorded"
MOST = 40
"""How many entries of a list are shown."""

_BASES = {
    consents.Basis.SELF: "who is shown agreed",
    consents.Basis.WRITTEN: "written consent",
    consents.Basis.LICENCE: "the pictures' licence",
    consents.Basis.SYNTHETIC: "nobody real is shown",
}


@dataclass(frozen=True)
class Listing:
    """A line of a list: what it is called, what it means, and how many files have it."""

    name: str
    meaning: str
    files: int


@dataclass(frozen=True)
class Rights:
    """Lists by number of files; licences and origins are None where nothing records them."""

    licences: tuple[Listing, ...] | None
    origins: tuple[Listing, ...] | None
    consents: tuple[Listing, ...]
    all_drawn: bool


def rights(outputs: Mapping[str, DataOutput]) -> Rights | None:
    """What is recorded of the files of stage `sources`; None before it has run."""
    if not outputs["sources"].there:
        return None
    table = outputs["sources"].columns("licence", "origin", "consent", "synthetic")
    return Rights(
        licences=_listed(tally(table, "licence")) if "licence" in table.column_names else None,
        origins=_listed(tally(table, "origin")) if "origin" in table.column_names else None,
        consents=tuple(
            Listing(*_told(name), files) for name, files in _first(tally(table, "consent"))
        ),
        all_drawn=every(table, "synthetic"),
    )


def _listed(found: dict[str | None, int]) -> tuple[Listing, ...]:
    return tuple(Listing(name or NOT_RECORDED, "", files) for name, files in _first(found))


def _first(found: dict[str | None, int]) -> list[tuple[str | None, int]]:
    entries = list(found.items())
    rest = sum(files for _, files in entries[MOST:])
    return [*entries[:MOST], *([(f"{len(entries) - MOST} more", rest)] if rest else [])]


def _told(identity: str | None) -> tuple[str, str]:
    """A consent's id and what kind it is; anything that is no id is not repeated."""
    if identity is None:
        return "none", "no record covers these files"
    if not consents.ID.fullmatch(identity):
        return (identity, "") if identity.endswith(" more") else ("no id", "not shown")
    if consents.is_of_words(identity):
        return identity, "stated in words, which are kept apart"
    return identity, _BASES[consents.Basis(identity.partition(":")[0])]
