"""What a person is tested with depends on nobody else, and its digest tells every change of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_model.evaluate import tested
from mm_model.evaluate.people import Subject
from mm_model.evaluate.variants import seeds_of
from mm_model.facepack.port import Face
from mm_model.nn.identity.portrait import Photograph
from mm_model.settings import load_profile

ROOT = Path(__file__).resolve().parents[2]
FACE = Face(np.array([1, 1, 6, 6], np.float32), 0.9, np.ones((5, 2), np.float32))


def _subject(name: str, colour: int) -> Subject:
    shown, withheld = (
        (Photograph.of(np.full((8, 8, 3), colour + k, np.uint8), FACE),) for k in (0, 1)
    )
    return Subject(
        identity=name,
        split="held_out",
        prompt=f"{name} smiles",
        shown=shown,
        withheld=withheld,
        names=("a", "b"),
        true_clip=None,
    )


def test_seeds_are_a_person_s_own_and_differ_between_people_and_clips() -> None:
    few, more = seeds_of(["a", "b"], 2), seeds_of(["0", "a", "b"], 2)
    assert more[1:] == few
    flat = [seed for row in more for seed in row]
    assert len(set(flat)) == len(flat)


def test_a_person_s_test_is_told_by_prompt_pictures_and_clips() -> None:
    ann, ben = _subject("ann", 10), _subject("ben", 20)
    said = tested.by_person([ann, ben], 2)
    assert tested.by_person([ben], 2) == {"ben": said["ben"]}
    for other in (
        replace(ben, prompt="ben nods"),
        replace(ben, shown=ann.shown),
        replace(ben, withheld=ann.withheld),
        replace(ben, shown=ben.shown + ben.withheld, withheld=()),
    ):
        assert tested.by_person([other], 2)["ben"] != said["ben"]
    assert tested.by_person([ben], 1)["ben"] != said["ben"]


def _conditions(
    section: str = "evaluate",
    *,
    judge: str = "judge",
    pack: str = "pack",
    conventions: dict[str, str] | None = None,
    **change: Any,
) -> str:
    """Of the shipped profile with values of one section changed."""
    profile = load_profile(ROOT, "tiny")
    other = getattr(profile, section).model_copy(update=change)
    return tested.conditions(
        profile.model_copy(update={section: other}),
        judge=judge,
        pack=pack,
        conventions=conventions or {},
    )


def test_conditions_say_how_not_who() -> None:
    first = _conditions()
    assert _conditions(people=5) == first
    assert _conditions("faces", held_out_share=0.5) == first, "who is tested is said by person"
    assert _conditions(inference_steps=3) != first
    assert _conditions(judge="another judge") != first
    assert _conditions(pack="another pack") != first
    assert _conditions(conventions={"identity": "another way"}) != first


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("faces", {"detection_size": 64}),
        ("faces", {"detection_above": 0.11}),
        ("faces", {"padded_detection_above": 0.11}),
        ("faces", {"pads": ()}),
        ("faces", {"bystander_below": 0.11}),
        ("model", {"num_frames": 5}),
        ("model", {"height": 32}),
        ("model", {"width": 32}),
        ("model", {"fps": 4}),
        ("model", {"crop_margin": 5.0}),
        ("model", {"reference_margin": 5.0}),
    ],
)
def test_conditions_tell_how_faces_are_found_and_clips_are_cut(
    section: str, change: dict[str, Any]
) -> None:
    assert _conditions(section, **change) != _conditions()
