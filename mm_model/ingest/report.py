"""What the ingest stage says of its work: counts, notes, and a sheet of what was decoded."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mm_model.captioners.port import MODEL
from mm_model.ingest.captioning import RECORD
from mm_model.ingest.captions import caption_notes, replaced
from mm_model.ingest.files import SHEET_SIZE
from mm_model.media.images import load_image
from mm_model.media.looks import NSFW, OCR, QUALITY, WantedLooks
from mm_model.media.sheet import contact_sheet, jpeg_bytes
from mm_model.records import Counts, Status
from mm_model.rows import Row
from mm_model.run import views
from mm_model.run.stage import Job, Report
from mm_model.store import atomic, documents
from mm_model.store.atomic import Document

_SHEET_REJECTED = 24
_SHEET_COLUMNS = 12


def report(job: Job, rows: list[Row], checked: list[Row], looks: WantedLooks) -> Report:
    """The report; it draws the sheet, and goes on without one that cannot be drawn."""
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
        "captions_from_source": sum(row["caption_origin"] in ("keyframe", "pool") for row in kept),
        "captions_replaced": len(replaced(kept)),
        "kept_share": round(len(kept) / len(rows), 4) if rows else None,
    }
    captioners = documents.read_or_empty(job.out / RECORD)
    if captioners:
        metrics["captions_from_model"] = sum(row["caption_origin"] == MODEL for row in kept)
    if looks.text_band is not None:
        metrics["second_looks"] = sum(row["ocr_area"] is not None for row in rows)
    notes = (*_notes(rows), *_looked(rows, looks), *caption_notes(kept), *_captioned(captioners))
    return Report(counts, metrics, pictures, notes)


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


def _looked(rows: list[Row], looks: WantedLooks) -> Iterator[str]:
    """How often each look was taken, with which weights."""
    for package, column, did in (
        (OCR, "ocr_area", "read the text of"),
        (NSFW, "nsfw", "scored"),
        (QUALITY, "quality", "scored the quality of"),
    ):
        if package in looks.packages:
            number = sum(row[column] is not None for row in rows)
            digest = next(iter(package.files.values()))[:12]
            yield (
                f"{package.name} {package.version} ({digest}) {did} {number} of {len(rows)} files "
                f"({package.setting})"
            )


def _captioned(captioners: Document) -> Iterator[str]:
    """Which model captioned what."""
    for media, said in captioners.items():
        yield f"{said['name']} ({said['kind']}, {said['digest'][:12]}) captioned {media}s"


def _sheet(path: Path, rows: list[Row], checked: list[Row]) -> None:
    """A contact sheet, rejected files first; none when nothing was decoded."""
    seen = [
        (found["facts"]["thumbnail"], str(row.get("reason") or row["status"]))
        for row, found in zip(rows, checked, strict=True)
        if found.get("facts", {}).get("thumbnail")
    ]
    kept = [entry for entry in seen if entry[1] == Status.KEPT]
    rejected = _evenly([e for e in seen if e[1] != Status.KEPT], _SHEET_REJECTED)
    chosen = rejected + _evenly(kept, SHEET_SIZE - len(rejected))
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
