"""What the ingest stage says of its work: counts, notes, and a sheet of what was decoded."""

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mm_model.captioners.port import MODEL
from mm_model.ingest.captioning import RECORD
from mm_model.ingest.captions import CaptionTally
from mm_model.ingest.files import SHEET_SIZE
from mm_model.ingest.watermark import COLUMN, SETTING
from mm_model.ingest.watermark import RECORD as CLASSIFIERS
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
_LOOKS = (
    (OCR, "ocr_area", "read the text of"),
    (NSFW, "nsfw", "scored"),
    (QUALITY, "quality", "scored the quality of"),
)
"""How often each look was taken, with which weights."""


class IngestTally:
    """What the report says of the rows that passed through `of`, which it does not hold.

    thumbnails: place of a row to its small picture, of those that the sheet may show.
    """

    def __init__(self, looks: WantedLooks, thumbnails: Mapping[int, str]) -> None:
        self._looks, self._thumbnails = looks, thumbnails
        self._outcomes: Counter[tuple[str, str | None]] = Counter()
        self._numbers: Counter[str] = Counter()
        self._origins: Counter[str | None] = Counter()
        self._captions = CaptionTally()
        self._unusual: Row | None = None
        self._failed: Row | None = None
        self._seen: list[tuple[str, str]] = []

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted."""
        for place, row in enumerate(rows):
            self._add(place, row)
            yield row

    def _add(self, place: int, row: Row) -> None:
        self._outcomes[row["status"], row.get("reason")] += 1
        if thumbnail := self._thumbnails.get(place):
            self._seen.append((thumbnail, str(row.get("reason") or row["status"])))
        for column in (COLUMN, *(column for _, column, _ in _LOOKS)):
            self._numbers[column] += row.get(column) is not None
        if row["status"] == Status.FAILED:
            self._failed = self._failed or row
        if row["status"] != Status.KEPT:
            return
        self._captions.add(row)
        self._origins[row["caption_origin"]] += 1
        if row["media"] == "clip":
            self._numbers["clips"] += 1
            self._numbers["clip_frames"] += row["num_frames"]
        if row["message"]:
            self._numbers["unusual"] += 1
            self._unusual = self._unusual or row

    def report(self, job: Job) -> Report:
        """The report; it draws the sheet, and goes on without one that cannot be drawn."""
        counts = Counts.of_tally(self._outcomes)
        sheet = job.out / "sheet.jpg"
        views.attempt("contact sheet", lambda: _sheet(sheet, self._seen), views.WITHOUT)
        pictures = (sheet.name,) if sheet.is_file() else ()
        numbers, origins = self._numbers, self._origins
        metrics = {
            "images": counts.kept - numbers["clips"],
            "clips": numbers["clips"],
            "clip_frames": numbers["clip_frames"],
            "captions_from_sidecar": origins["sidecar"],
            "captions_from_source": origins["keyframe"] + origins["pool"],
            "captions_replaced": self._captions.replaced,
            "kept_share": round(counts.kept / counts.total, 4) if counts.total else None,
        }
        captioners = documents.read_or_empty(job.out / RECORD)
        if captioners:
            metrics["captions_from_model"] = origins[MODEL]
        if self._looks.text_band is not None:
            metrics["second_looks"] = numbers["ocr_area"]
        notes = (
            *self._notes(counts),
            *self._classified(documents.read_or_empty(job.out / CLASSIFIERS), counts.total),
            *self._captions.notes(),
            *_captioned(captioners),
        )
        return Report(counts, metrics, pictures, notes)

    def _notes(self, counts: Counts) -> Iterator[str]:
        if one := self._unusual:
            number = self._numbers["unusual"]
            yield f"{number} kept files are unusual, e.g. {one['name']}: {one['message']}"
        if one := self._failed:
            number = sum(counts.failed.values())
            yield (
                f"{number} files failed and may be tried again, e.g. {one['name']}: "
                f"{one['message']}"
            )
        for package, column, did in _LOOKS:
            if package in self._looks.packages:
                digest = next(iter(package.files.values()))[:12]
                yield (
                    f"{package.name} {package.version} ({digest}) {did} {self._numbers[column]} of "
                    f"{counts.total} files ({package.setting})"
                )

    def _classified(self, classifiers: Document, total: int) -> Iterator[str]:
        """Which model was asked about which label, of how many files."""
        for said in classifiers.values():
            yield (
                f"{said['name']} ({said['kind']}, {said['digest'][:12]}) told of "
                f"{self._numbers[COLUMN]} of {total} files how probably they are "
                f"{said['label']!r} ({SETTING})"
            )


def _captioned(captioners: Document) -> Iterator[str]:
    """Which model captioned what."""
    for media, said in captioners.items():
        yield f"{said['name']} ({said['kind']}, {said['digest'][:12]}) captioned {media}s"


def _sheet(path: Path, seen: Sequence[tuple[str, str]]) -> None:
    """A contact sheet of thumbnails and labels, rejected files first; none of none."""
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
