"""Subjects learned on the embedded backbone, measured against the plain base."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from mm_model.embedded.objects.example import DrawnSubject
from mm_model.embedded.objects.things import Pictured
from mm_model.reproduce import subjects
from mm_model.reproduce.alike import ObjectLooks

pytestmark = pytest.mark.capability("tokens of a subject on CogVideoX", scale="T")

STUDY = subjects.SubjectsStudy(
    people=(0, 1),
    cups=(0,),
    toys=(1,),
    person_sentences=("{} smiles",),
    object_sentences=("photo of {}",),
    frames=9,
)


def tree_with(place: Path, root: Path, **values: int) -> Path:
    """A root whose profile tiny has other values of its section `subject`, and samples quickly."""
    (place / "profiles").mkdir()
    (place / "weights").mkdir()
    (place / "weights" / "tiny").symlink_to(root / "weights" / "tiny")
    for name in ("params.yaml", "profiles/common.yaml"):
        (place / name).write_bytes((root / name).read_bytes())
    tiny = yaml.safe_load((root / "profiles/tiny.yaml").read_text())
    tiny["subject"] |= values
    tiny["serve"]["default_steps"] = 2
    (place / "profiles/tiny.yaml").write_text(yaml.safe_dump(tiny))
    return place


def test_a_study_measures_everybody_and_goes_on_where_it_was_cut_off(
    root: Path, tmp_path: Path
) -> None:
    tree = tree_with(tmp_path, root, steps=2)
    shelf = subjects.reproduce(tree, 1, STUDY)
    said = json.loads(shelf.numbers.read_text())
    assert said["command"] == "make subjects" and said["subject"]["steps"] == 2
    assert [one["name"] for one in said["subjects"]] == ["person-0", "person-1", "cup-0", "toy-1"]
    house = said["people"]["tiny"]
    assert house["true"]["value"] > 0.2, "true photographs are told as their person"
    assert house["named right"]["true"] == 2
    assert said["objects"]["colour"]["true"]["value"] > 0.3
    assert cv2.imread(str(shelf.plot)).std() > 10
    again = {path: path.stat().st_mtime_ns for path in (shelf.folder / "parts").glob("*.json")}
    (shelf.folder / "parts" / "toy-1.json").unlink()
    assert (
        json.loads(subjects.reproduce(tree, 1, STUDY).numbers.read_text())["people"]
        == (said["people"])
    )
    changed = [p.name for p, when in again.items() if p.stat().st_mtime_ns != when]
    assert changed == ["toy-1.json"]


def test_true_photographs_are_more_like_their_object_than_like_the_other() -> None:
    drawn = [DrawnSubject(kind, 0).photographs(6, 64) for kind in ("cup", "toy")]
    looks = [ObjectLooks(found[:4]) for found in drawn]
    for own, found in enumerate(drawn):
        frames = np.stack([one.image for one in found[4:]])
        ours, others = looks[own].of(frames), looks[1 - own].of(frames)
        assert ours["colour"] > others["colour"] + 0.2
        assert ours["shape"] > others["shape"]


def test_colour_is_looked_for_where_the_object_stands() -> None:
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    red = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    blue = np.where(mask[..., None], np.uint8((30, 30, 200)), red).astype(np.uint8)
    looks = ObjectLooks([Pictured(np.where(mask[..., None], red, 0).astype(np.uint8), mask)])
    assert looks.of(red[None])["colour"] == pytest.approx(1)
    assert looks.of(blue[None])["colour"] < 0.05


@pytest.mark.slow
def test_a_held_out_person_and_a_cup_come_through(root: Path, tmp_path: Path) -> None:
    """A real learning, cut short: by the house's judge a person, by their colours two objects."""
    study = replace(STUDY, people=(1,), person_sentences=("{} smiles", "{} nods"))
    shelf = subjects.reproduce(tree_with(tmp_path, root, steps=120), 1, study)
    said = json.loads(shelf.numbers.read_text())
    assert said["people"]["tiny"]["gain"]["value"] > 0.05
    assert said["objects"]["colour"]["gain"]["value"] > 0.05
    for one in said["subjects"]:
        assert one["loss"]["last"] < one["loss"]["first"], one["name"]
