"""The pictures that may serve as references, read from the outputs of `ingest` and `faces`.

One portrait for each still and for each embedded frame of a clip; embeddings come from the faces
stage, so no picture is opened here. What is held of a picture is numbers in arrays: a portrait is
put together when it is asked for.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.pairs.select import Reference
from mm_model.pairs.synthesizer import Identity, IdentityPicture
from mm_model.records import TRACKS_COLUMNS, Row, Status
from mm_model.store import tables

_FACE = tuple(name for name in TRACKS_COLUMNS if name not in ("sample_id", "frame", "pad"))
"""Box, score and landmarks, in the order of the table."""

_OF_INGEST = ("sample_id", "file", "subject", "synthetic", "width", "height")
_OF_FACES = (
    *("sample_id", "identity", "split", "media", "num_frames"),
    *("most_faces", "bystanders", "embedding_row"),
)


@dataclass(frozen=True, slots=True)
class KeptSample:
    """What pairs need to know of a kept sample; `faces` counts bystanders too.

    `row` is its place among the embeddings; sizes in pixels.
    """

    identity: str
    split: str
    media: str
    num_frames: int
    faces: int
    row: int
    file: str
    subject: str | None
    synthetic: bool
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Library:
    """What is known of the kept samples.

    samples, embeddings: sample id to what is known of it, and to its unit vector. portraits,
    references: identity to its pictures, in the order of samples and frames.
    """

    samples: Mapping[str, KeptSample]
    embeddings: Mapping[str, np.ndarray]
    portraits: Mapping[str, list[IdentityPicture]]
    references: Mapping[str, list[Reference]]
    pictures: "LibraryPictures"

    def identities(self) -> Iterator[Identity]:
        """Every identity as a synthesiser sees it."""
        members: dict[str, list[KeptSample]] = {name: [] for name in self.portraits}
        for sample in self.samples.values():
            members[sample.identity].append(sample)
        for name, samples in members.items():
            yield Identity(
                name,
                _commonest([sample.subject for sample in samples]),
                all(sample.synthetic for sample in samples),
                tuple(self.portraits[name]),
            )


def _commonest(names: list[str | None]) -> str | None:
    tally = Counter(name for name in names if name)
    return min(tally, key=lambda name: (-tally[name], name)) if tally else None


def key_of(sample_id: str, media: str, frame: int) -> str:
    """Name of a picture: the sample id, with `#frame=N` for a frame of a clip."""
    return sample_id if media == "image" else f"{sample_id}#frame={frame}"


def read(ingest: Path, faces: Path) -> Library:
    """The library of the kept samples of `faces`.

    Raises:
        UserError: the tables and the embeddings of `faces` do not fit together.
    """
    from safetensors.numpy import load_file

    samples = _samples(ingest, faces)
    tensors = load_file(faces / "embeddings.safetensors")
    frames = tensors["frame_row"]
    shown = LibraryPictures(ingest, samples, frames, _numbers(faces, samples, frames))
    places: dict[str, array[int]] = {sample.identity: array("q") for sample in samples.values()}
    for place in range(len(frames)):
        places[shown.identity(place)].append(place)
    return Library(
        samples,
        _Vectors(samples, tensors["embedding"]),
        _Portraits(places, shown),
        {
            name: [shown.reference(place, tensors["frame_embedding"][place]) for place in own]
            for name, own in places.items()
        },
        shown,
    )


def _samples(ingest: Path, faces: Path) -> dict[str, KeptSample]:
    """In the order of `faces`; texts that many samples share are held once."""
    kept = {
        row["sample_id"]: tuple(row[name] for name in _OF_FACES) for row in _kept(faces, _OF_FACES)
    }
    found: dict[str, KeptSample] = {}
    for row in _kept(ingest, _OF_INGEST):
        name = row["sample_id"]
        if name in kept:
            told = dict(zip(_OF_FACES, kept[name], strict=True))
            found[name] = KeptSample(
                sys.intern(told["identity"]),
                split=sys.intern(told["split"]),
                media=sys.intern(told["media"]),
                num_frames=told["num_frames"],
                faces=told["most_faces"] + told["bystanders"],
                row=told["embedding_row"],
                file=row["file"],
                subject=row["subject"] and sys.intern(row["subject"]),
                synthetic=row["synthetic"],
                width=row["width"],
                height=row["height"],
            )
    return {name: found[name] for name in kept}


def _kept(output: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    return tables.rows(output / "samples.parquet", columns, {"status": Status.KEPT})


def _numbers(faces: Path, samples: Mapping[str, KeptSample], frames: np.ndarray) -> np.ndarray:
    """Box, score and landmarks float64 [pictures, 15] of each picture's face.

    frames: int64 [pictures, 2], the place of a sample's embedding and the number of the frame.
    """
    keys = (frames[:, 0].astype(np.int64) << 32) | frames[:, 1]
    order = np.argsort(keys)
    sorted_keys, found = keys[order], np.full((len(keys), len(_FACE)), np.nan)
    if not len(keys):
        return found
    for batch in tables.batches(faces / "tracks.parquet", ("sample_id", "frame", *_FACE)):
        of = (samples.get(name) for name in batch.column("sample_id").to_pylist())
        rows = np.array([-1 if sample is None else sample.row for sample in of], np.int64)
        wanted = (rows << 32) | batch.column("frame").to_numpy(zero_copy_only=False)
        places = np.searchsorted(sorted_keys, wanted).clip(max=len(keys) - 1)
        fits = (rows >= 0) & (sorted_keys[places] == wanted)
        values = np.stack(
            [batch.column(name).to_numpy(zero_copy_only=False) for name in _FACE], axis=1
        )
        found[order[places[fits]]] = values[fits]
    if np.isnan(found).any():
        raise UserError(
            f"{faces / 'tracks.parquet'} lacks faces that {faces / 'embeddings.safetensors'} has: "
            "run stage faces again."
        )
    return found


class _Vectors(Mapping[str, np.ndarray]):
    """Sample id to its row of `vectors`."""

    def __init__(self, samples: Mapping[str, KeptSample], vectors: np.ndarray) -> None:
        self._samples, self._vectors = samples, vectors

    def __getitem__(self, name: str) -> np.ndarray:
        return self._vectors[self._samples[name].row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)


class LibraryPictures:
    """Every picture by its place among the embedded frames, put together when asked for."""

    def __init__(
        self,
        ingest: Path,
        samples: Mapping[str, KeptSample],
        frames: np.ndarray,
        numbers: np.ndarray,
    ) -> None:
        self._ingest, self._samples = ingest, samples
        self._names = {sample.row: name for name, sample in samples.items()}
        self._frames, self._numbers = frames, numbers

    def _of(self, place: int) -> tuple[str, KeptSample, int]:
        row, frame = self._frames[place].tolist()
        name = self._names[row]
        return name, self._samples[name], frame

    def identity(self, place: int) -> str:
        """Whose picture it is."""
        return self._of(place)[1].identity

    def portrait(self, place: int) -> IdentityPicture:
        """The picture as a synthesiser sees it."""
        name, sample, frame = self._of(place)
        numbers = self._numbers[place].astype(np.float32)
        return IdentityPicture(
            name,
            self._ingest / sample.file,
            frame=None if sample.media == "image" else frame,
            width=sample.width,
            height=sample.height,
            face=Face(numbers[:4], float(self._numbers[place, 4]), numbers[5:].reshape(5, 2)),
            faces=sample.faces,
        )

    def reference(self, place: int, vector: np.ndarray) -> Reference:
        """The picture as a reference, `vector` its embedding."""
        name, sample, frame = self._of(place)
        return Reference(
            key_of(name, sample.media, frame),
            sample.identity,
            name,
            vector,
            score=float(self._numbers[place, 4]),
            faces=sample.faces,
            place=place,
        )


class _Portraits(Mapping[str, list[IdentityPicture]]):
    """Identity to its pictures."""

    def __init__(self, places: Mapping[str, "array[int]"], pictures: LibraryPictures) -> None:
        self._places, self._pictures = places, pictures

    def __getitem__(self, name: str) -> list[IdentityPicture]:
        return [self._pictures.portrait(place) for place in self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
