"""Face VCD against the face's size: the study, cut to the least."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.facepack.port import Face
from mm_model.reproduce import facesize
from tests.reproduce.test_subjects import tree_with

pytestmark = pytest.mark.capability("refined clips", scale="T")


@pytest.mark.slow
def test_small_faces_are_redrawn_and_the_study_goes_on_where_it_was_cut_off(
    root: Path, tmp_path: Path
) -> None:
    ways = tuple(facesize.Redrawing(heard, 2.2, 0.5) for heard in (facesize.OWN, facesize.OTHER))
    study = facesize.FaceSizeStudy(people=(8, 9), sizes=(8, 14), redrawings=ways)
    tree = tree_with(tmp_path, root, steps=2)
    shelf = facesize.reproduce(tree, 1, study)
    said = json.loads(shelf.numbers.read_text())
    assert said["command"] == "make facesize" and len(said["by size"]) == 4
    small, large = said["by size"][:2]
    for judge in said["judges"]:
        gains = [row["judges"][judge]["gain"] for row in (small, large)]
        assert all(one["value"] == 0 for one in gains[0].values()), "under ten pixels none is"
        assert all(one["value"] != 0 for one in gains[1].values())
    assert cv2.imread(str(shelf.plot)).std() > 10
    parts = {path: path.stat().st_mtime_ns for path in (shelf.folder / "parts").glob("*.json")}
    facesize.reproduce(tree, 1, study)
    assert len(parts) == 2 + 4 and all(path.stat().st_mtime_ns == at for path, at in parts.items())


def test_a_clip_is_shrunk_about_its_face_and_the_judges_see_it_enlarged() -> None:
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    frames[:, 20:40, 24:44] = 255
    face = Face(np.array([24, 20, 44, 40], np.float32), 1.0, np.full((5, 2), 30, np.float32))
    small = facesize.SmallFace(frames, (face, face)).shrunk(10, 100)
    assert small.frames.shape == (2, 100, 100, 3)
    (x0, y0, x1, y1), bright = small.faces[0].box, np.argwhere(small.frames[0, ..., 0] > 127)
    assert small.faces[0].short_side == pytest.approx(10)
    assert (
        np.abs(bright.min(0) - (y0, x0)).max() <= 1 and np.abs(bright.max(0) - (y1, x1)).max() <= 2
    )
    picture, there = facesize.seen(small.frames[0], small.faces[0])
    assert picture.shape == (128, 128, 3) and there.short_side == pytest.approx(128 / 2.6, abs=1)
    left, top, right, bottom = there.box.round().astype(int)
    assert picture[top + 8 : bottom - 8, left + 8 : right - 8].min() > 200
