"""What becomes of each file: planned, checked by the sandbox, decided on, copied.

Decides on files and pixels, never on faces. Kept files are copied byte for byte under names made
from their content.
"""

import hashlib
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mm_model.decisions import ingest as filters
from mm_model.ingest import sandbox
from mm_model.media.failure import MediaError
from mm_model.media.names import opened
from mm_model.records import DECISION_COLUMNS, Reason, Status
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.settings import IngestSettings
from mm_model.store import digests, tables
from mm_model.store.firsts import Firsts
from mm_model.store.spill import Spill, Spills

SHEET_SIZE = 72
_THUMBNAILS_FOR_ALL = 4000
_FACTS = ("media", "width", "height", "num_frames", "fps", "codec", "pixel_id", "phash")
_PLANNED = ("path", "bytes", "sha256", *DECISION_COLUMNS)
_CARRIED = (
    "source_id",
    "name",
    "subject",
    "split",
    "synthetic",
    "consent",
    "consent_digest",
    "framing",
)


def planned(inventory: Path, spills: Spills) -> Spill:
    """What to check, in the order of names: each row with its id and, if known, its rejection."""
    found, contents = spills.rows("inventory"), Firsts()
    opened_at = array("q")
    for place, row in enumerate(tables.rows(inventory, (*_CARRIED, *_PLANNED))):
        found.append(row)
        if row["sha256"] and _known_refusal(row) is None:
            opened_at.append(place)
            contents.add(row["sha256"])
    order = _by_name(inventory)
    first = _first_with(np.frombuffer(opened_at, np.int64), contents, order)
    items, small = spills.rows("planned"), len(order) <= _THUMBNAILS_FOR_ALL
    step = max(1, -(-len(order) // SHEET_SIZE))
    for number, place in enumerate(order):
        row, twin = found[int(place)], int(first[number])
        refused = _known_refusal(row)
        if twin >= 0 and twin != number:
            refused = refusal(Reason.DUP_BYTES, f"same bytes as {found[int(order[twin])]['name']}")
        content = row["sha256"] or ""
        # The first file with some content is named by it; every other row by its own name too.
        own = twin != number
        name = digests.of_bytes(f"{content}:{row['source_id']}".encode()) if own else content
        items.append(
            {key: row[key] for key in (*_CARRIED, "path", "sha256")}
            | {"sample_id": name[:16], "refused": refused, "shown": small or number % step == 0}
        )
    return items


def _by_name(inventory: Path) -> np.ndarray:
    """The places of its rows, int64 [N], by name and id."""
    import pyarrow.compute as pc

    keys = ("name", "source_id")
    told = tables.columns(inventory, keys)
    return (
        pc.sort_indices(told, sort_keys=[(key, "ascending") for key in keys])
        .to_numpy()
        .astype(np.int64)
    )


def _first_with(opened_at: np.ndarray, contents: Firsts, order: np.ndarray) -> np.ndarray:
    """By number in `order`: the number of the first file that is opened and has the same content.

    -1 of a file that is not opened. `opened_at` are the places of those that are.
    """
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    mine = number[opened_at]
    there = np.argsort(mine)
    first = np.full(len(order), -1, np.int64)
    first[mine[there]] = mine[there][contents.first(there)]
    return first


def _known_refusal(row: Row) -> Row | None:
    """The decision that stands before the file is opened or compared, if any."""
    if row["status"] != Status.KEPT:
        return {key: row[key] for key in DECISION_COLUMNS}
    if not row["synthetic"] and row["consent"] is None:
        return refusal(Reason.RIGHTS_CONSENT, "the folder's consent record leaves this file out")
    if row["bytes"] == 0:
        return refusal(Reason.IO_EMPTY, "the file is empty")
    return None


def refusal(
    reason: str, message: str, value: float | None = None, threshold: float | None = None
) -> Row:
    """The decision columns of a file that is refused; of the system's fault it is failed."""
    status = Status.FAILED if reason.startswith("SYS_") else Status.REJECTED
    return {
        "status": status,
        "reason": reason,
        "reason_value": value,
        "reason_threshold": threshold,
        "message": message[:300],
    }


def checked(items: Sequence[Row], examiner: sandbox.Examiner, root: Path) -> list[Row]:
    """For each item: {"facts": ...}, {"refused": ..., "measured": ...}, or {} if not opened."""
    wanted = [item for item in items if item["refused"] is None]
    requests = [(opened(item["path"], root), item["shown"]) for item in wanted]
    found = dict(
        zip((item["source_id"] for item in wanted), examiner.check_all(requests), strict=True)
    )
    return [_outcome(item, found.get(item["source_id"])) for item in items]


def _outcome(item: Row, found: Row | MediaError | None) -> Row:
    if found is None:
        return {}
    if isinstance(found, MediaError):
        refused = refusal(found.reason, found.message, found.value, found.threshold)
        return {"refused": refused, "measured": found.measured}
    if found["sha256"] != item["sha256"]:
        return {"refused": refusal(Reason.SYS_IO, "the file changed after stage sources read it")}
    return {"facts": found}


def decided(item: Row, checked: Row, rules: IngestSettings) -> Row:
    """The row of one file, all rules applied but the comparison of pixels; no caption yet."""
    row = {key: item[key] for key in (*_CARRIED, "sample_id")}
    facts = checked.get("facts", {})
    seen = facts or checked.get("measured", {})
    row |= {key: seen.get(key) for key in _FACTS} | filters.measures(seen)
    refused = item["refused"] or checked.get("refused")
    if refused is None:
        broken = filters.broken_rule(facts, rules)
        refused = refusal(*broken) if broken else None
    if refused is not None:
        return row | refused
    return row | {
        "file": f"files/{item['sample_id']}{facts['extension']}",
        "status": Status.KEPT,
        "message": "; ".join(facts["notes"])[:300] or None,
    }


def copy(row: Row, item: Row, job: Job) -> None:
    """Copy a kept file; one that is no longer what was checked fails, in place."""
    if row["status"] != Status.KEPT:
        return
    target = job.out / row["file"]
    digest = hashlib.sha256()
    try:
        with opened(item["path"], job.layout.root).open("rb") as source, target.open("wb") as copy:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                copy.write(chunk)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        pass  # of a file that an earlier run checked, this is where one learns that it is gone
    if digest.hexdigest() != item["sha256"]:
        target.unlink(missing_ok=True)
        row |= refusal(Reason.SYS_IO, "the file changed while it was being read")
        row["file"] = None
