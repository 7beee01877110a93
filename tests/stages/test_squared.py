"""A source that asks for black borders: what its `source.yaml` says is what training sees."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mm_model.errors import UserError
from mm_model.generation.frames import training_frames
from mm_model.media.encode import write_mp4
from mm_model.records import TRACKS_COLUMNS
from mm_model.settings import load_profile
from mm_model.store import tables
from tests.bad_inputs.drawn import footage, photograph
from tests.stages.tarred import say

pytestmark = pytest.mark.capability("shapes of data sets", scale="T")

SAID = {"licence": "MIT", "adults": True, "people": "unknown"}
POOL = {"own": False, "pool": ["A squared ID photo of {who}, with pure black on two sides."]}


@pytest.fixture
def raw(small_root: Path, use_sources: Callable) -> Path:
    """Two sources of one portrait and one clip each: one asks for borders, the other does not."""
    place = small_root / "raw"
    for number, name in enumerate(("squared", "usual")):
        (place / name).mkdir(parents=True)
        Image.fromarray(photograph(number, 96, 96)).save(place / name / "1.png")
        write_mp4(place / name / "2.mp4", footage(20 + number), 8)
    said = {"squared": {**SAID, "framing": "borders", "captions": POOL}, "usual": SAID}
    say(place, kind="collection", sources=said)
    use_sources(small_root, "raw")
    return place


def track() -> pd.DataFrame:
    """A face in the upper left, in every frame."""
    values = dict.fromkeys(TRACKS_COLUMNS, 0.0)
    values |= {"x1": 12.0, "y1": 12.0, "x2": 36.0, "y2": 42.0, "kx0": 24.0, "ky0": 24.0}
    return pd.DataFrame([values | {"frame": frame} for frame in range(12)])


@pytest.mark.parametrize("name", ["1.png", "2.mp4"])
def test_the_picture_stands_whole_in_the_frame_and_its_face_is_where_it_shows(
    small_root: Path, raw: Path, run_stage: Callable, name: str
) -> None:
    for stage in ("sources", "ingest"):
        run_stage(small_root, stage)
    out = small_root / "data" / "tiny" / "ingest"
    rows = {row["name"]: row for row in tables.records(out / "samples.parquet")}
    sizes = load_profile(small_root, "tiny").model.model_copy(update={"width": 96, "height": 64})
    made = {}
    for source in ("squared", "usual"):
        row = pd.Series(rows[f"{source}/{name}"])
        made[source] = training_frames(out / row["file"], row, track(), sizes, 9)
    squared, usual = made["squared"], made["usual"]
    assert squared.frames.shape == usual.frames.shape == (9, 64, 96, 3)
    assert not squared.frames[:, :, :16].any() and not squared.frames[:, :, 80:].any()
    if name == "1.png":
        small = cv2.resize(photograph(0, 96, 96), (64, 64), interpolation=cv2.INTER_AREA)
        assert np.abs(squared.frames[0, :, 16:80].astype(int) - small).max() <= 1
    assert (squared.frames[:, :, 16:80].max(axis=3) > 0).all()
    assert (usual.frames.reshape(9, -1, 3).max(axis=2) > 0).all(), "cut around the face, no border"
    assert np.allclose(squared.boxes[0], [12 / 1.5 + 16, 8, 36 / 1.5 + 16, 28])
    assert np.allclose(squared.landmarks[0, 0], [24 / 1.5 + 16, 16])


def test_the_caption_may_say_so(small_root: Path, raw: Path, run_stage: Callable) -> None:
    for stage in ("sources", "ingest"):
        run_stage(small_root, stage)
    rows = tables.records(small_root / "data" / "tiny" / "ingest" / "samples.parquet")
    told = {row["name"]: (row["framing"], row["caption"], row["caption_problem"]) for row in rows}
    caption = "A squared ID photo of a person, with pure black on two sides."
    assert told["squared/1.png"] == ("borders", caption, None)
    assert told["usual/1.png"][0] is None


def test_another_word_for_it_is_refused(small_root: Path, raw: Path, run_stage: Callable) -> None:
    say(raw, kind="collection", sources={"squared": {**SAID, "framing": "black"}})
    with pytest.raises(UserError, match=r"framing: .*'face' or 'borders'"):
        run_stage(small_root, "sources")
    say(raw, kind="collection", framing="borders", sources={"squared": SAID})
    with pytest.raises(UserError, match="framing is said for each of a collection's sources"):
        run_stage(small_root, "sources")
