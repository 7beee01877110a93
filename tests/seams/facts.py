"""What the chain left, read without the code under test wherever there is another way.

`truth` knows every sample from the raw folder itself: which drawn person it shows, and the words
beside it. Nothing here may be written to: take a copy.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mm_model.embedded.people.split import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from mm_model.facepack.port import Face
from mm_model.records import Counts
from mm_model.run.stage import Job
from mm_model.settings import Profile, load_profile
from mm_model.store.layout import Layout
from tests.small_chain import OTHER, READS
from tests.stages.conftest import make_job


@dataclass(frozen=True)
class Fact:
    """One sample of ingest: the raw file it is a copy of, the person drawn there, the words beside.

    `usable`: the generator drew it without a fault, so that every filter keeps it.
    """

    file: Path
    person: int
    caption: str
    media: str
    usable: bool

    @property
    def side(self) -> str:
        """The side of the split that the person's number belongs to."""
        if self.person in TRAIN_PEOPLE:
            return "train"
        assert self.person in HELD_OUT_PEOPLE
        return "held_out"


@dataclass(frozen=True)
class Chain:
    """The root in which every stage ran, and what its tables say."""

    place: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.place, "tiny")

    @cached_property
    def profile(self) -> Profile:
        return load_profile(self.place, "tiny")

    @cached_property
    def reads(self) -> dict[str, dict[str, list[str]]]:
        return json.loads((self.place.parent / READS).read_text())

    def output(self, stage: str) -> Path:
        return self.layout.output(stage)

    def report(self, stage: str) -> dict[str, Any]:
        return json.loads((self.output(stage) / "report.json").read_text())

    def counts(self, stage: str) -> Counts:
        """What its report tells."""
        said = self.report(stage)
        return Counts(said["total"], said["kept"], said["rejected"], said["failed"])

    def table(self, stage: str, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.output(stage) / f"{name}.parquet")

    def job(self, stage: str, work: Path) -> Job:
        """A job of a stage over the chain's outputs that works and writes below `work`."""
        (work / "out").mkdir(parents=True, exist_ok=True)
        return dataclasses.replace(make_job(self.place, stage), work=work, out=work / "out")

    @cached_property
    def truth(self) -> dict[str, Fact]:
        """Sample id to what is known of it, by the bytes of the raw file."""
        raw = self.output("sources") / "files"
        said = json.loads((raw / "synthetic.json").read_text())
        known = {name: entry for call in said["calls"] for name, entry in call["files"].items()}
        by_content = {
            hashlib.sha256((raw / name).read_bytes()).hexdigest(): name
            for name in sorted(known, reverse=True)
        }
        facts = {}
        for row in self.table("ingest", "samples").query("status == 'kept'").itertuples():
            content = (self.output("ingest") / row.file).read_bytes()
            name = by_content[hashlib.sha256(content).hexdigest()]
            words = (raw / name).with_suffix(".txt").read_text().strip()
            media = "image" if known[name]["media"] == "photo" else "clip"
            facts[row.sample_id] = Fact(
                self.output("ingest") / row.file,
                int(known[name]["person"]),
                words,
                media,
                known[name]["expected"] == "kept",
            )
        return facts

    def of(self, person: int, media: str) -> list[Fact]:
        """The usable samples of a drawn person."""
        return [
            fact
            for fact in self.truth.values()
            if fact.person == person and fact.media == media and fact.usable
        ]

    @cached_property
    def people(self) -> dict[str, int]:
        """Identity to the drawn person; an identity of two people fails here."""
        kept = self.table("faces", "samples").query("status == 'kept'")
        found: dict[str, set[int]] = {}
        for row in kept.itertuples():
            found.setdefault(row.identity, set()).add(self.truth[row.sample_id].person)
        assert all(len(who) == 1 for who in found.values())
        return {name: who.pop() for name, who in found.items()}

    def pictures(self, identity: str) -> list[tuple[np.ndarray, Face]]:
        """The photographs of a person with the face in each, in the order of sample ids."""
        kept = self.table("faces", "samples").query(
            f"status == 'kept' and media == 'image' and identity == '{identity}'"
        )
        tracks = self.table("faces", "tracks").set_index("sample_id")
        return [
            (pixels(self.truth[name].file), face_in(tracks.loc[name]))
            for name in sorted(kept["sample_id"])
        ]


def pixels(file: Path) -> np.ndarray:
    """A still picture as any program would read it, uint8 [H, W, 3] RGB."""
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"))


def film(file: Path) -> np.ndarray:
    """All frames of a clip, uint8 [T, H, W, 3] RGB, by PyAV alone."""
    import av

    with av.open(str(file)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def face_in(row: Any) -> Face:
    """Box and landmarks of one row of a table."""
    box = np.array([row["x1"], row["y1"], row["x2"], row["y2"]], np.float32)
    marks = [[row[f"kx{n}"], row[f"ky{n}"]] for n in range(5)]
    return Face(box, float(row["score"]), np.array(marks, np.float32))


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(box[2:] - box[:2])) for box in (first, second))
    return shared / (areas - shared)


def sought(frame: np.ndarray, picture: np.ndarray) -> float:
    """How well `frame` is found in `picture` at the best place and size: a correlation to 1."""
    import cv2

    best = -1.0
    for scale in np.linspace(0.5, 1.0, 11):
        height = round(picture.shape[0] * scale)
        width = round(height * frame.shape[1] / frame.shape[0])
        if width > picture.shape[1]:
            continue
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
        best = max(best, float(cv2.matchTemplate(picture, small, cv2.TM_CCOEFF_NORMED).max()))
    return best


class RULES:
    """The rules of the chain's profile for finding faces, word for word."""

    detection_above, padded_detection_above = (
        OTHER["faces"][name] for name in ("detection_above", "padded_detection_above")
    )
    pads, bystander_below = OTHER["faces"]["pads"], OTHER["faces"]["bystander_below"]
