"""Source drops: files that came into the source folder together, and what became of them.

Reads the folder's listing and the tables of the first three stages; computes nothing.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mm_model.errors import UserError
from mm_model.media import names
from mm_model.media.folder import may_be_sample
from mm_model.records import Status
from mm_model.store import tables
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.store.walk import entries_below, why

STAGES = ("sources", "ingest", "faces")
"""The stages that decide on a file, in their order."""

_Fate = tuple[str, str]
_KEPT: _Fate = (Status.KEPT.value, "")


@dataclass
class Drop:
    """Files that came together. `first`, `last`: when they were written here (ctime, seconds).

    `rejected` and `failed` map reasons to numbers. `waiting` are files that no run has read yet,
    `beside` those that are no sample by themselves (captions, lists, archives).
    """

    first: float
    last: float
    files: int = 0
    bytes: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    beside: int = 0

    @property
    def key(self) -> str:
        """When the first of them came, which names the drop."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.first))

    @property
    def facts(self) -> Document:
        """All of it as data."""
        return {"key": self.key, **vars(self)}

    def line(self) -> str:
        """`12 files = 8 kept + 2 rejected (FACE_NONE 2) + 0 failed + 1 not read yet + 1 beside`."""

        def told(found: Counter[str]) -> str:
            named = ", ".join(f"{reason} {number}" for reason, number in sorted(found.items()))
            return f" ({named})" if named else ""

        return (
            f"{self.files} files = {self.kept} kept"
            f" + {self.rejected.total()} rejected{told(self.rejected)}"
            f" + {self.failed.total()} failed{told(self.failed)}"
            f" + {self.waiting} not read yet + {self.beside} beside (captions, lists, archives)"
        )

    def _add(self, name: Path, size: int, fate: _Fate | None) -> None:
        self.files += 1
        self.bytes += size
        if fate is None and may_be_sample(name):
            self.waiting += 1
        elif fate is None:
            self.beside += 1
        elif fate == _KEPT:
            self.kept += 1
        else:
            status, reason = fate
            (self.failed if status == Status.FAILED else self.rejected)[reason] += 1


def of_folder(layout: Layout, folder: Path, apart: float) -> list[Drop]:
    """The drops that lie in `folder`, the oldest first; a new one begins where nothing came for
    longer than `apart` seconds.

    Raises:
        UserError: the folder cannot be listed, or a table is damaged.
    """
    try:
        found = sorted(_arrivals(folder))
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({why(error)}): mend it.") from None
    fates, drops = _fates(layout), list[Drop]()
    for moment, name, size in found:
        if not drops or moment - drops[-1].last > apart:
            drops.append(Drop(moment, moment))
        drops[-1].last = moment
        drops[-1]._add(name, size, fates.get(names.source_id(name)))
    return drops


def _arrivals(folder: Path) -> Iterator[tuple[float, Path, int]]:
    """When each file was written here, its name from the folder on, and its bytes."""
    for entry in entries_below(folder):
        if entry.status is not None and entry.error is None:
            yield entry.status.st_ctime, entry.relative, entry.status.st_size


def _fates(layout: Layout) -> Mapping[str, _Fate]:
    """Source id to how the last stage that saw the file decided."""
    known: dict[str, _Fate] = {}
    sources_of: dict[str, str] = {}
    for stage in STAGES:
        path = layout.output(stage) / ("inventory" if stage == "sources" else "samples")
        path = path.with_suffix(".parquet")
        if not path.is_file():
            continue
        for row in tables.rows(path, ("source_id", "sample_id", "status", "reason")):
            source = str(row.get("source_id") or sources_of.get(str(row["sample_id"]), ""))
            known[source] = (str(row["status"]), str(row["reason"] or ""))
            if stage == "ingest":
                sources_of[str(row["sample_id"])] = source
    return known
