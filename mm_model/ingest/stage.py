"""Stage `ingest`: which raw files are usable photographs and clips, each checked in full.

Decides on files and pixels, never on faces. Untrusted bytes are decoded in child processes only;
kept files are copied byte for byte under names made from their content.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mm_model.decisions import ingest as filters
from mm_model.decisions.port import types
from mm_model.ingest import sandbox
from mm_model.ingest.captions import Captions, caption_kept, caption_notes, replaced
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image
from mm_model.media.names import opened
from mm_model.media.sheet import contact_sheet, jpeg_bytes
from mm_model.records import INGEST_COLUMNS, Counts, Reason, Status
from mm_model.rows import Row
from mm_model.run import views
from mm_model.run.stage import Job, Report, Stage
from mm_model.settings import IngestSettings
from mm_model.store import atomic, digests, tables
from mm_model.store.shards import in_shards

_SHARD_SIZE = 64
_SHEET_SIZE = 72
_SHEET_REJECTED = 24
_SHEET_COLUMNS = 12
_THUMBNAILS_FOR_ALL = 4000
_FACTS = ("media", "width", "height", "num_frames", "fps", "codec", "pixel_id")
_CARRIED = ("source_id", "name", "subject", "split", "synthetic", "consent", "consent_digest")
_TYPES = {
    "synthetic": "flag",
    "width": "count",
    "height": "count",
    "num_frames": "count",
    "fps": "number",
    **types(filters.MEASURES),
    **tables.DECISION_TYPES,
}


def run(job: Job) -> Report:
    """Write `samples.parquet` (one row for each inventory row), `files/` and `sheet.jpg`.

    Raises:
        UserError: the caption template cannot be used with the backbone's tokenizer.
    """
    inventory = tables.records(job.inputs["sources"] / "inventory.parquet")
    captions = json.loads((job.inputs["sources"] / "captions.json").read_text())
    items = _planned(inventory)
    rules = job.profile.ingest
    judge = Captions(job.model("backbone"), rules.caption_template)
    allowance = sandbox.Allowance(
        rules.decode_seconds,
        rules.decode_memory_mb,
        rules.max_pixels,
        rules.max_frames,
        rules.max_aspect,
    )
    with sandbox.opened(allowance, job.profile.run.threads) as examiner:
        checked = in_shards(
            job.work / "shards",
            items,
            _SHARD_SIZE,
            lambda part: _checked(part, examiner, job.layout.root),
            label=f"[{job.stage.name}] checking files",
            origin=job.fingerprint,
        )
    rows = [_decided(item, found, rules) for item, found in zip(items, checked, strict=True)]
    _refuse_equal_pixels(rows)
    (job.out / "files").mkdir()
    for row, item in zip(rows, items, strict=True):
        _copy(row, item, job)
    caption_kept(rows, captions, judge)
    tables.write(job.out / "samples.parquet", rows, INGEST_COLUMNS, _TYPES)
    return _report(job, rows, checked)


def _planned(inventory: list[Row]) -> list[Row]:
    """What to check, in the order of names: each row with its id and, if known, its rejection."""
    inventory = sorted(inventory, key=lambda row: (row["name"], row["source_id"]))
    small = len(inventory) <= _THUMBNAILS_FOR_ALL
    step = max(1, -(-len(inventory) // _SHEET_SIZE))
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


def _checked(items: Sequence[Row], examiner: sandbox.Sandbox, root: Path) -> list[Row]:
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


def _decided(item: Row, checked: Row, rules: IngestSettings) -> Row:
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


def _refuse_equal_pixels(rows: list[Row]) -> None:
    """Reject, in place, every kept file whose decoded pixels an earlier kept file has."""
    first_with: dict[str, Row] = {}
    for row in rows:
        if row["status"] != Status.KEPT:
            continue
        twin = first_with.setdefault(row["pixel_id"], row)
        if twin is not row:
            row |= _refusal(Reason.DUP_PIXELS, f"same pixels as {twin['name']}")
            row["file"] = None


def _copy(row: Row, item: Row, job: Job) -> None:
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
    except FileNotFoundError:
        pass
    if digest.hexdigest() != item["sha256"]:
        target.unlink(missing_ok=True)
        row |= _refusal(Reason.SYS_IO, "the file changed while it was being read")
        row["file"] = None


def _report(job: Job, rows: list[Row], checked: list[Row]) -> Report:
    counts = Counts.of_rows([r["status"] for r in rows], [r.get("reason") for r in rows])
    sheet = job.out / "sheet.jpg"
    views.attempt("contact sheet", lambda: _sheet(sheet, rows, checked), views.WITHOUT)
    pictures = (sheet.name,) if sheet.is_file() else ()
    kept = [row for row in rows if row["status"] == Status.KEPT]
    clips = [row for row in kept if row["media"] == "clip"]
    metrics = {
        "images": len(kept) - len(clips),
        "clips": len(clips),
        "clip_frames": sum(row["num_frames"] for row in clips),
        "captions_from_sidecar": sum(row["caption_origin"] == "sidecar" for row in kept),
        "captions_replaced": len(replaced(kept)),
        "kept_share": round(len(kept) / len(rows), 4) if rows else None,
    }
    return Report(counts, metrics, pictures, (*_notes(rows), *caption_notes(kept)))


def _notes(rows: list[Row]) -> tuple[str, ...]:
    unusual = [r for r in rows if r["status"] == Status.KEPT and r["message"]]
    failed = [r for r in rows if r["status"] == Status.FAILED]
    notes = []
    if unusual:
        first = unusual[0]
        notes.append(
            f"{len(unusual)} kept files are unusual, e.g. {first['name']}: {first['message']}"
        )
    if failed:
        first = failed[0]
        notes.append(
            f"{len(failed)} files failed and may be tried again, e.g. {first['name']}: "
            f"{first['message']}"
        )
    return tuple(notes)


def _sheet(path: Path, rows: list[Row], checked: list[Row]) -> None:
    """A contact sheet, rejected files first; none when nothing was decoded."""
    seen = [
        (found["facts"]["thumbnail"], str(row.get("reason") or row["status"]))
        for row, found in zip(rows, checked, strict=True)
        if found.get("facts", {}).get("thumbnail")
    ]
    kept = [entry for entry in seen if entry[1] == Status.KEPT]
    rejected = _evenly([e for e in seen if e[1] != Status.KEPT], _SHEET_REJECTED)
    chosen = rejected + _evenly(kept, _SHEET_SIZE - len(rejected))
    if not chosen:
        return
    # Our own child made these few bytes; they are no foreign file any more.
    pictures = [load_image(base64.b64decode(thumbnail)) for thumbnail, _ in chosen]
    sheet = contact_sheet(pictures, [label for _, label in chosen], _SHEET_COLUMNS)
    atomic.write_bytes(path, jpeg_bytes(sheet))


def _evenly(entries: list[Any], most: int) -> list[Any]:
    """At most `most` of `entries`, spread evenly, in order."""
    number = min(most, len(entries))
    return [entries[i * len(entries) // number] for i in range(number)]


STAGE = Stage(
    name="ingest",
    title="Usable photographs and clips",
    version=3,
    takes=("sources",),
    sections=("ingest",),
    models=("backbone",),
    run=run,
)
