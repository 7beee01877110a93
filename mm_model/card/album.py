"""The pictures of a card: few, small, each from the place where it may be read.

What stage `ingest` verified is read as the later stages read it, once it has the digest that was
published. What it rejected is a stranger's file still: it is decoded in a confined child process.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.card.blur import Box, as_uri, blurred, small
from mm_model.card.outputs import DataOutput
from mm_model.errors import first_line
from mm_model.media.failure import MediaError
from mm_model.records import Status
from mm_model.rows import Row
from mm_model.settings import Profile
from mm_model.store import digests
from mm_model.store.layout import Layout

MOST_BYTES = 4_000_000
"""What all pictures of a page may take together."""

_CORNERS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Place:
    """Where a picture lies.

    stage, file: a published file; without a stage `file` is a stranger's. boxes: its faces, None
    where they are not all known.
    """

    stage: str | None
    file: str
    media: str
    frame: int = 0
    boxes: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True)
class Shown:
    """A picture as a data URI, or why there is none."""

    uri: str | None
    why: str | None = None


class Album:
    """Pictures of one page. `blur` makes every face unknowable."""

    def __init__(
        self, layout: Layout, outputs: Mapping[str, DataOutput], profile: Profile, blur: bool
    ) -> None:
        self._layout, self._outputs, self._profile = layout, outputs, profile
        self._blur, self._left = blur, MOST_BYTES

    def shown(self, places: Iterable[Place]) -> dict[Place, Shown]:
        """Each place with its picture; a place is read once."""
        asked = list(dict.fromkeys(places))
        foreign = self._foreign([place for place in asked if place.stage is None])
        return {place: foreign.get(place) or self._published(place) for place in asked}

    def _published(self, place: Place) -> Shown:
        from mm_model.faces.pictures import Pictures

        output = self._outputs[str(place.stage)]
        path = output.folder / place.file
        listed = output.sealed.files.get(place.file) if output.sealed else None
        try:
            if listed is None or digests.of_file(path) != listed:
                return Shown(None, "not shown: it is no longer the file that was published")
            pictures = Pictures(path, place.media, place.frame + 1, 1, 1)
            image = next(image for _, image in pictures.at([place.frame]))
        except Exception as error:  # one picture of many: it says so, and the page goes on
            return Shown(None, f"cannot be read: {first_line(error)}")
        return self._kept(image, place.boxes)

    def _foreign(self, places: list[Place]) -> dict[Place, Shown]:
        if not places:
            return {}
        from mm_model.ingest import sandbox
        from mm_model.media.names import opened

        rules = self._profile.ingest
        allowance = sandbox.Allowance(
            rules.decode_seconds, rules.decode_memory_mb, rules.max_pixels, rules.max_frames
        )
        with sandbox.opened(allowance) as examiner:
            asked = [(opened(place.file, self._layout.root), True) for place in places]
            return {
                place: self._answered(found)
                for place, found in zip(places, examiner.check_all(asked), strict=True)
            }

    def _answered(self, found: Row | MediaError) -> Shown:
        from mm_model.media.images import load_image

        if isinstance(found, MediaError):
            return Shown(None, f"cannot be read: {found.message}")
        try:
            image = load_image(base64.b64decode(found["thumbnail"]))
        except (MediaError, KeyError, TypeError, ValueError) as error:
            return Shown(None, f"cannot be read: {first_line(error)}")
        return self._kept(image, None)

    def _kept(self, image: np.ndarray, boxes: Iterable[Box] | None) -> Shown:
        picture, factor = small(image)
        if self._blur:
            scaled = None if boxes is None else [[v * factor for v in box] for box in boxes]
            picture = blurred(picture, scaled)
        uri = as_uri(picture)
        if len(uri) > self._left:
            return Shown(None, "left out: the page would grow too large")
        self._left -= len(uri)
        return Shown(uri)


class Places:
    """Where the pictures of some samples and references lie, and which faces are known there."""

    def __init__(
        self, outputs: Mapping[str, DataOutput], samples: set[str], references: set[str]
    ) -> None:
        self._ingest = _by_id(
            outputs["ingest"], samples, "file", "media", "num_frames", "source_id", "reason"
        )
        faces = outputs["faces"]
        self._faces = _by_id(faces, samples, "most_faces", "bystanders")
        self._tracks: dict[str, list[Row]] = {}
        path = faces.folder / "tracks.parquet"
        names = ("sample_id", "frame", *_CORNERS)
        for row in _rows_in(path, samples, *names) if faces.there and path.is_file() else []:
            self._tracks.setdefault(row["sample_id"], []).append(row)
        self._made: dict[str, Row] = {}
        path = outputs["pairs"].folder / "references.parquet"
        if outputs["pairs"].there and path.is_file():
            found = _rows_in(path, references, "reference_file", *_CORNERS)
            self._made = {row["reference_file"]: row for row in found}
        raw = {row["source_id"] for row in self._ingest.values() if not row["file"]}
        inventory = outputs["sources"]
        self._raw = {}
        if raw and inventory.there:
            found = _rows_in(inventory.table, raw, "source_id", "path", "status")
            self._raw = {row["source_id"]: row for row in found}

    def of_sample(self, sample: str, frame: int | None = None) -> Place | None:
        """Where to look at a sample: in the middle of its track; None where it must not be opened.

        A file that no consent covers, or that the source could not read, is not opened.
        """
        row = self._ingest.get(sample)
        if row is None:
            return None
        if row["file"]:
            frame, boxes = self._face(sample, frame)
            return Place("ingest", row["file"], row["media"], frame, boxes)
        raw = self._raw.get(row["source_id"])
        barred = row["reason"] is None or str(row["reason"]).startswith("RIGHTS_")
        if raw is None or barred or raw["status"] != Status.KEPT:
            return None
        return Place(None, raw["path"], str(row["media"]))

    def of_reference(self, file: str, faces: int | None) -> Place | None:
        """Where a reference lies: `<stage>:<file>`, with `#frame=N` for a frame of a clip.

        faces: how many are seen in it.
        """
        stage, _, rest = file.partition(":")
        name, _, frame = rest.partition("#frame=")
        if stage == "ingest":
            for sample, row in self._ingest.items():
                if row["file"] == name:
                    return self.of_sample(sample, int(frame) if frame else None)
        if stage not in ("ingest", "pairs"):
            return None
        made = self._made.get(file) if faces == 1 else None
        boxes = (_box(made),) if made else None
        return Place(stage, name, "clip" if frame else "image", int(frame or 0), boxes)

    def _face(
        self, sample: str, frame: int | None
    ) -> tuple[int, tuple[tuple[float, ...], ...] | None]:
        """A frame, and the boxes there, None unless all faces of the sample are known."""
        track = self._tracks.get(sample, [])
        if frame is None:
            frame = int(track[len(track) // 2]["frame"]) if track else 0
        seen = self._faces.get(sample, {})
        alone = (seen.get("most_faces") or 0) + (seen.get("bystanders") or 0) == 1
        boxes = [_box(row) for row in track if row["frame"] == frame]
        return frame, tuple(boxes) if boxes and alone else None


def _box(row: Row) -> tuple[float, ...]:
    return tuple(float(row[name]) for name in _CORNERS)


def _by_id(output: DataOutput, samples: set[str], *names: str) -> dict[str, Row]:
    if not output.there:
        return {}
    found = _rows_in(output.table, samples, "sample_id", *names)
    return {row["sample_id"]: row for row in found}


def _rows_in(path: Path, ids: set[str], key: str, *names: str) -> list[Row]:
    """The rows whose `key` is one of `ids`."""
    from mm_model.store import tables

    return list(tables.rows(path, (key, *names), {key: ids}))
