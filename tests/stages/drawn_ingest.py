"""An output of stage `ingest` made by hand from procedural people, quick and fully known.

Every sample is named for what it is; `Sample.expected` is the reason it must be rejected with.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.faults import fault_no_face, fault_tiny_face, fault_two_faces
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import shot
from mm_model.embedded.people.split import split_of
from mm_model.media.encode import mp4_bytes
from mm_model.media.sheet import jpeg_bytes
from mm_model.records import INGEST_COLUMNS, Counts
from mm_model.run.stage import Report
from mm_model.store import atomic, digests, manifest, tables

SIZE = 128
_TYPES = tables.DECISION_TYPES | {
    "synthetic": "flag",
    "width": "count",
    "height": "count",
    "num_frames": "count",
    "fps": "number",
}


@dataclass(frozen=True, eq=False)
class Sample:
    """One file: `frames` uint8 [T, H, W, 3], a still when T is 1."""

    name: str
    frames: np.ndarray
    subject: str | None
    split: str | None
    expected: str = "kept"
    synthetic: bool = True


def people(seeds: list[int], photos: int = 4, clips: int = 1) -> list[Sample]:
    """Photographs and clips of five frames of procedural people, all usable."""
    samples = []
    for seed in seeds:
        rng, who = np.random.default_rng([1, seed]), person(seed)
        subject, split = f"person_{seed}", split_of(seed)
        for number in range(photos):
            image = photograph(who, rng, SIZE).image
            samples.append(Sample(f"{subject}/{number}.jpg", image[None], subject, split))
        for number in range(clips):
            frames = clip(who, "smiles", shot(rng), num_frames=5, size=SIZE, rng=rng).frames
            samples.append(Sample(f"{subject}/{number}.mp4", frames, subject, split))
    return samples


def faults() -> list[Sample]:
    """One still of each fault that is for the faces stage to find."""
    rng = np.random.default_rng(5)
    who, other = person(10_050), person(10_051)
    place = "person_10050"
    blurred = cv2.GaussianBlur(photograph(who, rng, SIZE).image, (0, 0), 0.045 * SIZE)[None]
    return [
        Sample("nobody.jpg", fault_no_face(shot(rng), SIZE, 1, rng), place, "train", "FACE_NONE"),
        Sample(
            "two.jpg",
            fault_two_faces(who, other, shot(rng), size=SIZE, num_frames=1, rng=rng),
            place,
            "train",
            "FACE_MANY",
        ),
        Sample(
            "far.jpg", fault_tiny_face(who, shot(rng), SIZE, 1, rng), place, "train", "FACE_SMALL"
        ),
        Sample("blurred.jpg", blurred, place, "train", "FACE_BLUR"),
    ]


def write_ingest(folder: Path, samples: list[Sample]) -> dict[str, Sample]:
    """Write the output of `ingest` for `samples`, sealed; sample id -> sample."""
    rows, known = [], {}
    for sample in samples:
        still = len(sample.frames) == 1
        content = jpeg_bytes(sample.frames[0], 92) if still else mp4_bytes(sample.frames, 8)
        name = digests.of_bytes(content)[:16]
        file = f"files/{name}.{'jpg' if still else 'mp4'}"
        atomic.write_bytes(folder / file, content)
        height, width = sample.frames.shape[1:3]
        rows.append(
            {
                "sample_id": name,
                "source_id": name,
                "name": sample.name,
                "subject": sample.subject,
                "split": sample.split,
                "synthetic": sample.synthetic,
                "consent": "drawn",
                "media": "image" if still else "clip",
                "file": file,
                "width": width,
                "height": height,
                "num_frames": len(sample.frames),
                "fps": 8.0,
                "codec": "x",
                "caption": "a person",
                "caption_origin": "template",
                "pixel_id": name,
                "status": "kept",
            }
        )
        known[name] = sample
    tables.write(folder / "samples.parquet", rows, INGEST_COLUMNS, _TYPES)
    report = Report(Counts(len(rows), len(rows))).as_dict()
    manifest.seal(folder, manifest.Manifest("ingest", 1, "0" * 64, {}, "", report))
    return known


def recompressed(image: np.ndarray, quality: int) -> np.ndarray:
    """The same picture with other bytes, as a copy found elsewhere would be."""
    from PIL import Image

    memory = io.BytesIO()
    Image.fromarray(image).save(memory, "JPEG", quality=quality)
    return np.array(Image.open(memory))
