"""What becomes of each file: planned, checked by the sandbox, decided on, compared, copied.

Decides on files and pixels, never on faces. Kept files are copied byte for byte under names made
from their content.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mm_model.decisions import ingest as filters
from mm_model.ingest import alike, sandbox
from mm_model.media.failure import MediaError
from mm_model.media.names import opened
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.settings import IngestSettings
from mm_model.store import digests

SHEET_SIZE = 72
_THUMBNAILS_FOR_ALL = 4000
_FACTS = ("media", "width", "height", "num_frames", "fps", "codec", "pixel_id", "phash")
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


def planned(inventory: list[Row]) -> list[Row]:
    """What to check, in the order of names: each row with its id and, if known, its rejection."""
    inventory = sorted(inventory, key=lambda row: (row["name"], row["source_id"]))
    small = len(inventory) <= _THUMBNAILS_FOR_ALL
    step = max(1, -(-len(inventory) // SHEET_SIZE))
    first_with: dict[str, Row] = {}
    items = []
    for number, row in enumerate(inventory):
        refused = _known_refusal(row, first_with)
        content = row["sha256"] or ""
        if content and not refused:
            first_with[content] = row
        # The first file with some content is named by it; every other row by its own name too.
        own = not content or first_with.get(content) is not row
        name = digests.of_bytes(f"{content}:{row['source_id']}".encode()) if own else content
        items.append(
            {key: row[key] for key in (*_CARRIED, "path", "sha256")}
            | {"sample_id": name[:16], "refused": refused, "shown": small or number % step == 0}
        )
    return items


def _known_refusal(row: Row, first_with: dict[str, Row]) -> Row | None:
    """The decision that stands before the file is opened, if any."""
    if row["status"] != Status.KEPT:
        return {
            key: row[key]
            for key in ("status", "reason", "reason_value", "reason_threshold", "message")
        }
    if not row["synthetic"] and row["consent"] is None:
        return _refusal(Reason.RIGHTS_CONSENT, "the folder's consent record leaves this file out")
    if row["bytes"] == 0:
        return _refusal(Reason.IO_EMPTY, "the file is empty")
    if twin := first_with.get(row["sha256"]):
        return _refusal(Reason.DUP_BYTES, f"same bytes as {twin['name']}")
    return None


def _refusal(
    reason: str, message: str, value: float | None = None, threshold: float | None = None
) -> Row:
    status = Status.FAILED if reason.startswith("SYS_") else Status.REJECTED
    return {
        "status": status,
        "reason": reason,
        "reason_value": value,
        "reason_threshold": threshold,
        "message": message[:300],
    }


def checked(items: Sequence[Row], examiner: sandbox.Sandbox, root: Path) -> list[Row]:
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
        refused = _refusal(found.reason, found.message, found.value, found.threshold)
        return {"refused": refused, "measured": found.measured}
    if found["sha256"] != item["sha256"]:
        return {"refused": _refusal(Reason.SYS_IO, "the file changed after stage sources read it")}
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
        refused = _refusal(*broken) if broken else None
    if refused is not None:
        return row | refused
    return row | {
        "file": f"files/{item['sample_id']}{facts['extension']}",
        "status": Status.KEPT,
        "message": "; ".join(facts["notes"])[:300] or None,
    }


def refuse_equal_pixels(rows: list[Row]) -> None:
    """Reject, in place, every kept file whose decoded pixels an earlier kept file has."""
    first_with: dict[str, Row] = {}
    for row in rows:
        if row["status"] != Status.KEPT:
            continue
        twin = first_with.setdefault(row["pixel_id"], row)
        if twin is not row:
            row |= _refusal(Reason.DUP_PIXELS, f"same pixels as {twin['name']}")
            row["file"] = None


def refuse_alike(rows: list[Row], within: int | None) -> None:
    """Reject, in place, every kept file that looks like one that stays; None switches it off.

    Of files that look alike the one of the most pixels stays, then the first in the order of rows.
    """
    if within is None:
        return
    for media in ("image", "clip"):
        found = [
            row
            for row in rows
            if row["status"] == Status.KEPT and row["media"] == media and row["phash"]
        ]
        found.sort(key=lambda row: -row["pixels"])
        for row, twin in zip(
            found, alike.twins([row["phash"] for row in found], within), strict=True
        ):
            if twin is not None:
                how = " mirrored" if twin.mirrored else ""
                said = f"looks like {found[twin.place]['name']}{how}"
                row |= _refusal(Reason.DUP_PERCEPTUAL, said, twin.bits, within)
                row["file"] = None


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
        row |= _refusal(Reason.SYS_IO, "the file changed while it was being read")
        row["file"] = None
