"""Where only some frames of a clip were examined: whose face each later part takes.

The chain examines every frame, and there a frame's number and its place in the track are the same.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mm_model.facepack.port import Face, FacePack
from mm_model.faces import stage as faces
from mm_model.generation.frames import training_frames
from mm_model.pairs import library
from mm_model.store import tables
from tests.seams.facts import Chain, face_in, film, unit

pytestmark = pytest.mark.slow

EXAMINED = [0, 4, 8, 12]
"""Of 13 frames."""
NEAREST = {0: 0, 2: 4, 3: 4, 5: 8, 6: 8, 8: 12}
"""Places of a training clip (frames 0, 3, 4, 8, 9, 12 of the raw one) to the examined frames."""


@pytest.fixture(scope="module")
def few(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage faces leaves when it may look at four frames of a clip."""
    rules = chain.profile.faces.model_copy(update={"frames_examined": len(EXAMINED)})
    profile = chain.profile.model_copy(update={"faces": rules})
    job = dataclasses.replace(chain.job("faces", tmp_path_factory.mktemp("few")), profile=profile)
    faces.run(job)
    return job.out


@pytest.fixture(scope="module")
def seen(few: Path) -> dict[str, dict[int, Face]]:
    """The kept clips: sample to the face of each examined frame."""
    kept = [
        row["sample_id"]
        for row in tables.records(few / "samples.parquet")
        if row["status"] == "kept" and row["media"] == "clip"
    ]
    found: dict[str, dict[int, Face]] = {name: {} for name in kept}
    for row in tables.records(few / "tracks.parquet"):
        if row["sample_id"] in found:
            found[row["sample_id"]][row["frame"]] = face_in(row)
    return found


def shape(box: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks in units of their box, which no crop changes."""
    return (landmarks - box[:2]) / (box[2:] - box[:2])


def test_the_frames_of_a_track_are_those_that_were_looked_at(
    chain: Chain, seen: dict[str, dict[int, Face]], pack: FacePack
) -> None:
    assert len(seen) >= 5
    assert all(list(frames) == EXAMINED for frames in seen.values())
    for name, frames in list(seen.items())[:3]:
        raw = film(chain.truth[name].file)
        for number, face in frames.items():
            (found,) = pack.detect(raw[number], 0.45)
            assert np.abs(found.box - face.box).max() < 3


def test_an_embedding_is_that_of_the_frame_it_names(
    chain: Chain, few: Path, seen: dict[str, dict[int, Face]], pack: FacePack
) -> None:
    tensors = load_file(few / "embeddings.safetensors")
    rows = {
        row["embedding_row"]: row["sample_id"] for row in tables.records(few / "samples.parquet")
    }
    asked = 0
    for (place, frame), vector in zip(
        tensors["frame_row"].tolist(), tensors["frame_embedding"], strict=True
    ):
        if (name := rows[place]) in list(seen)[:4]:
            fresh = unit(pack.embed(film(chain.truth[name].file)[frame], seen[name][frame]))
            assert float(fresh @ vector) > 0.99
            asked += 1
    assert asked == 4 * len(EXAMINED)


def test_a_reference_of_a_clip_has_the_face_of_its_own_frame(
    chain: Chain, few: Path, seen: dict[str, dict[int, Face]]
) -> None:
    known = library.read(chain.output("ingest"), few)
    asked = 0
    for portrait in (one for members in known.portraits.values() for one in members):
        if portrait.frame is not None:
            face = seen[portrait.sample_id][portrait.frame]
            assert np.array_equal(portrait.face.box, face.box)
            assert np.array_equal(portrait.face.landmarks, face.landmarks)
            asked += 1
    assert asked == len(seen) * len(EXAMINED)


def test_a_training_frame_takes_the_face_of_the_nearest_examined_frame(
    chain: Chain, few: Path, seen: dict[str, dict[int, Face]]
) -> None:
    ingest = chain.table("ingest", "samples").set_index("sample_id")
    tracks, moved = tables.read(few / "tracks.parquet"), 0
    for name, frames in seen.items():
        row, track = ingest.loc[name], tracks[tracks["sample_id"] == name]
        made = training_frames(chain.truth[name].file, row, track, chain.profile.model, 9)
        shapes = {number: shape(face.box, face.landmarks) for number, face in frames.items()}
        for place, number in NEAREST.items():
            told = shape(made.boxes[place], made.landmarks[place])
            apart = {other: np.abs(told - known).max() for other, known in shapes.items()}
            assert apart[number] < 1e-3, (name, place)
            moved += max(apart.values()) > 0.01
    assert moved > 10
