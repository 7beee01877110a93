"""What every file is compared with: equal pixels, and what looks alike. 50 bytes a file are held.

Rows pass by in their order, twice: first they are seen, then those that are copies are refused.
"""

from array import array
from collections.abc import Callable

import numpy as np

from mm_model.ingest import alike
from mm_model.ingest.files import refusal
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.store.firsts import Firsts

_MEDIA = ("image", "clip")
_NO_HASH = 2  # beside 0 and 1, the place of a medium: kept, and with no hash to compare


class CopySearch:
    """The kept files, by the order in which they are seen; `within` is None where looks are free.

    Of files that look alike the one of the most pixels stays, then the first.
    """

    def __init__(self, within: int | None) -> None:
        self._within = within
        self._places, self._kinds = array("q"), bytearray()
        self._pixels, self._looks, self._changes = array("q"), array("Q"), array("Q")
        self._contents = Firsts()
        self._seen = 0

    def see(self, row: Row) -> None:
        """The next row; of those that are not kept only the place counts."""
        if row["status"] == Status.KEPT:
            self._places.append(self._seen)
            self._contents.add(row["pixel_id"])
            hashed = row["phash"] and row["media"] in _MEDIA
            self._kinds.append(_MEDIA.index(row["media"]) if hashed else _NO_HASH)
            self._pixels.append(row["pixels"])
            looks, change = alike.numbers(row["phash"]) if hashed else (0, 0)
            self._looks.append(looks)
            self._changes.append(change)
        self._seen += 1

    def settle(self, name_of: Callable[[int], str]) -> "Refusals":
        """Who is refused as whose copy; `name_of` tells the name of the row at a place."""
        places = np.frombuffer(self._places, np.int64)
        first = self._contents.first()
        copy = first != np.arange(len(first))
        twin, bits, mirrored = first, np.zeros(len(first), np.uint8), np.zeros(len(first), bool)
        if self._within is not None:
            for kind, media in enumerate(_MEDIA):
                mine = np.flatnonzero((np.frombuffer(self._kinds, np.uint8) == kind) & ~copy)
                pixels = np.frombuffer(self._pixels, np.int64)[mine]
                mine = mine[np.argsort(-pixels, kind="stable")]
                looks, changes = (
                    np.frombuffer(side, np.uint64)[mine] for side in (self._looks, self._changes)
                )
                found = alike.copies(looks, changes if media == "clip" else None, self._within)
                lost = np.flatnonzero(found.place >= 0)
                twin[mine[lost]] = mine[found.place[lost]]
                bits[mine[lost]], mirrored[mine[lost]] = found.bits[lost], found.mirrored[lost]
        lost = np.flatnonzero(twin != np.arange(len(twin)))
        told = copy[lost], bits[lost], mirrored[lost]
        return Refusals(places[lost], places[twin[lost]], told, self._within, name_of)


class Refusals:
    """The copies among the rows, in the order of rows."""

    def __init__(
        self,
        places: np.ndarray,
        twins: np.ndarray,
        told: tuple[np.ndarray, np.ndarray, np.ndarray],
        within: int | None,
        name_of: Callable[[int], str],
    ) -> None:
        self._places, self._twins, self._told = places, twins, told
        self._within, self._name_of = within, name_of
        self._next = 0

    def applied(self, place: int, row: Row) -> Row:
        """The row at `place`, refused if it is a copy; places come in their order."""
        at = self._next
        if at == len(self._places) or self._places[at] != place:
            return row
        self._next += 1
        name = self._name_of(int(self._twins[at]))
        equal, bits, mirrored = (side[at].item() for side in self._told)
        if equal:
            refused = refusal(Reason.DUP_PIXELS, f"same pixels as {name}")
        else:
            said = f"looks like {name}{' mirrored' if mirrored else ''}"
            refused = refusal(Reason.DUP_PERCEPTUAL, said, bits, self._within)
        return row | refused | {"file": None}
