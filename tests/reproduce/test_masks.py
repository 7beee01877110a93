"""Learning with true masks against learning without: the study, cut to the least."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.embedded.objects.example import DrawnSubject
from mm_model.embedded.objects.things import Pictured
from mm_model.reproduce import masks
from tests.reproduce.test_subjects import tree_with

pytestmark = pytest.mark.capability("prompt-to-segmentation", scale="T")


def test_a_study_tells_grounds_apart_and_goes_on_where_it_was_cut_off(
    root: Path, tmp_path: Path
) -> None:
    study = masks.MasksStudy(people=(8, 9), places=(masks.ONE,), sentences=("{} smiles",))
    tree = tree_with(tmp_path, root, steps=2)
    shelf = masks.reproduce(tree, 1, study)
    said = json.loads(shelf.numbers.read_text())
    assert said["command"] == "make masks"
    (places,) = said["places"].values()
    assert {one["verdict"] for one in places["claims"]} == {"cannot be told"}, "of two people"
    assert places["measures"]["frame_change"]["masks"]["value"] > 0
    assert cv2.imread(str(shelf.plot)).std() > 10
    parts = {path: path.stat().st_mtime_ns for path in (shelf.folder / "parts").glob("*.json")}
    again = json.loads(masks.reproduce(tree, 1, study).numbers.read_text())
    assert again["places"] == said["places"] and len(parts) == 2
    assert all(path.stat().st_mtime_ns == when for path, when in parts.items()), "none again"


def test_the_ground_of_photographs_is_known_among_grounds() -> None:
    """Photographs of one place are like it where nobody stands, and unlike another place."""
    taken = [DrawnSubject("person", seed).photographs(6, 64, one_place=True) for seed in (8, 9)]
    for own, found in enumerate(taken):
        frames = np.stack([one.image for one in found[4:]])
        ours, others = (masks.ground_alike(frames, taken[k][:4]) for k in (own, 1 - own))
        assert ours > others + 0.1
    person = np.zeros((64, 64), bool)
    person[16:48, 16:48] = True
    red = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    blue = np.where(person[..., None], np.uint8((30, 30, 200)), red).astype(np.uint8)
    assert masks.ground_alike(blue[None], [Pictured(red, person)]) == pytest.approx(1), (
        "who stands there does not count"
    )


@pytest.mark.parametrize(
    ("low", "high", "up", "said"),
    [
        (0.1, 0.3, True, "holds"),
        (0.1, 0.3, False, "does not hold"),
        (-0.3, -0.1, False, "holds"),
        (-0.1, 0.1, True, "cannot be told"),
        (None, None, True, "cannot be told"),
    ],
)
def test_a_verdict_is_that_of_the_interval(
    low: float | None, high: float | None, up: bool, said: str
) -> None:
    assert masks.Claim("it rises", "ground", up).verdict({"low": low, "high": high}) == said
