"""A sample is known by all that it is made from: whatever of it changes, the key is another."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from mm_model.errors import UserError
from mm_model.generation.frames import TRACK_COLUMNS
from mm_model.precompute.wanted import Target, TargetFacts
from mm_model.settings import Profile, load_profile

TARGET = Target(
    sample_id="aa", identity="id-1", split="train", media="clip", references=("one", "two")
)
_Rows = dict[str, Any]


class World:
    """Inputs of one target, and the key that they give it."""

    def __init__(self, root: Path, place: Path) -> None:
        self.profile, self.weights = load_profile(root, "tiny"), "weights"
        self.inputs = {name: place / name for name in ("ingest", "faces", "pairs")}
        for folder in self.inputs.values():
            folder.mkdir()
        self.sample: _Rows = {
            "sample_id": "aa", "file": "aa.mp4", "media": "clip", "num_frames": 2, "fps": 8.0,
            "caption": "a man smiles", "framing": "face",
        }  # fmt: skip
        self.track = {name: [float(at), at + 1.0] for at, name in enumerate(TRACK_COLUMNS)}
        self.references = {
            key: {"reference": key, "reference_file": f"pairs:{key}.png#3", "x1": 1.0}
            for key in TARGET.references
        }
        self.files = {"ingest/aa.mp4": b"clip", "pairs/one.png": b"1", "pairs/two.png": b"2"}

    def key(self, frames: int = 9) -> str:
        """The target's key, by the inputs as they are now."""
        for name, content in self.files.items():
            stage, _, rest = name.partition("/")
            (self.inputs[stage] / rest).write_bytes(content)
        pd.DataFrame([self.sample]).to_parquet(self.inputs["ingest"] / "samples.parquet")
        tracks = pd.DataFrame({"sample_id": ["aa", "aa"], **self.track})
        tracks.to_parquet(self.inputs["faces"] / "tracks.parquet")
        book: Any = SimpleNamespace(row=self.references.__getitem__)
        return TargetFacts(self.inputs, self.profile, book, self.weights).key(TARGET, frames)

    def set(self, section: str, **values: Any) -> None:
        """Change the profile."""
        part = self.profile.section(section).model_copy(update=values)
        self.profile = Profile.model_copy(self.profile, update={section: part})


@pytest.fixture
def world(root: Path, tmp_path: Path) -> World:
    return World(root, tmp_path)


CHANGES: dict[str, Callable[[World], Any]] = {
    "clip": lambda world: world.files.update({"ingest/aa.mp4": b"another"}),
    "caption": lambda world: world.sample.update(caption="a man frowns"),
    "box": lambda world: world.track.update(x1=[1.0, 2.5]),
    "landmark": lambda world: world.track.update({TRACK_COLUMNS[-1]: [0.0, 0.5]}),
    "reference": lambda world: world.files.update({"pairs/two.png": b"another"}),
    "frame of a reference": lambda world: world.references["two"].update(
        reference_file="pairs:two.png#4"
    ),
    "face of a reference": lambda world: world.references["two"].update(x1=2.0),
    "weights": lambda world: setattr(world, "weights", "others"),
    "fps": lambda world: world.set("model", fps=12),
    "tiles": lambda world: world.set("precompute", vae_tiling=True),
    "height": lambda world: world.set("model", height=96),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_sample_is_made_from_changes_its_key(world: World, name: str) -> None:
    before = world.key()
    assert world.key() == before
    CHANGES[name](world)
    assert world.key() != before


def test_what_changes_no_sample_changes_no_key(world: World) -> None:
    clip, picture = world.key(), world.key(frames=1)
    assert clip != picture
    world.set("precompute", shard_mb=7, text_batch=1)
    world.set("pairs", per_target=9)
    assert (world.key(), world.key(frames=1)) == (clip, picture)
    world.set("model", fps=12)
    assert world.key(frames=1) == picture, "a picture has no pace"


def test_a_reference_without_its_file_is_told(world: World) -> None:
    world.references["two"]["reference_file"] = "pairs:three.png"
    with pytest.raises(UserError, match=r"Reference 'two' has no file .*three\.png: run pairs"):
        world.key()
