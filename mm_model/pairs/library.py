"""The pictures that may serve as references, read from the outputs of `ingest` and `faces`.

One portrait for each still and for each embedded frame of a clip; embeddings come from the faces
stage, so no picture is opened here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.facepack.port import face_of
from mm_model.pairs.select import Reference
from mm_model.pairs.synthesizer import Identity, IdentityPicture
from mm_model.records import Row, Status
from mm_model.store import tables


@dataclass(frozen=True, eq=False)
class Library:
    """What is known of the kept samples.

    samples: sample id -> row of faces joined with ingest. embeddings: sample id -> unit vector.
    portraits, references: identity -> its pictures, in the order of samples and frames.
    """

    samples: Mapping[str, Row]
    embeddings: Mapping[str, np.ndarray]
    portraits: Mapping[str, list[IdentityPicture]]
    references: Mapping[str, list[Reference]]

    def identities(self) -> dict[str, Identity]:
        """Every identity as a synthesiser sees it, by name."""
        members: dict[str, list[Row]] = {name: [] for name in self.portraits}
        for row in self.samples.values():
            members[row["identity"]].append(row)
        return {
            name: Identity(
                name,
                _commonest([row["subject"] for row in rows]),
                all(row["synthetic"] for row in rows),
                tuple(self.portraits[name]),
            )
            for name, rows in members.items()
        }


def _commonest(names: list[str | None]) -> str | None:
    tally = Counter(name for name in names if name)
    return min(tally, key=lambda name: (-tally[name], name)) if tally else None


def key_of(sample_id: str, media: str, frame: int) -> str:
    """Name of a picture: the sample id, with `#frame=N` for a frame of a clip."""
    return sample_id if media == "image" else f"{sample_id}#frame={frame}"


def read(ingest: Path, faces: Path) -> Library:
    """The library of the kept samples of `faces`."""
    from safetensors.numpy import load_file

    raw = {row["sample_id"]: row for row in _kept(ingest)}
    kept = [raw[row["sample_id"]] | row for row in _kept(faces)]
    tensors = load_file(faces / "embeddings.safetensors")
    track = {
        (row["sample_id"], row["frame"]): row for row in tables.records(faces / "tracks.parquet")
    }
    by_row = {row["embedding_row"]: row for row in kept}
    portraits: dict[str, list[IdentityPicture]] = {row["identity"]: [] for row in kept}
    references: dict[str, list[Reference]] = {row["identity"]: [] for row in kept}
    for (place, frame), vector in zip(
        tensors["frame_row"].tolist(), tensors["frame_embedding"], strict=True
    ):
        row = by_row[place]
        name, media = row["sample_id"], row["media"]
        portraits[row["identity"]].append(
            IdentityPicture(
                name,
                ingest / row["file"],
                frame=None if media == "image" else frame,
                width=row["width"],
                height=row["height"],
                face=face_of(track[name, frame]),
                faces=row["most_faces"] + row["bystanders"],
            )
        )
        newest = portraits[row["identity"]][-1]
        references[row["identity"]].append(
            Reference(
                key_of(name, media, frame),
                row["identity"],
                name,
                vector,
                score=newest.face.score,
                faces=newest.faces,
            )
        )
    return Library(
        {row["sample_id"]: row for row in kept},
        {row["sample_id"]: tensors["embedding"][row["embedding_row"]] for row in kept},
        portraits,
        references,
    )


def _kept(output: Path) -> list[Row]:
    return list(tables.rows(output / "samples.parquet", where={"status": Status.KEPT}))
