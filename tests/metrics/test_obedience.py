"""What a sentence asks for and what a face did: curves worked out by hand, and drawn people."""

import numpy as np
import pytest

from mm_model.embedded.people import action as world
from mm_model.embedded.people.clips import clip
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import shot
from mm_model.metrics import extent, obedience, pose, table
from tests.metrics.test_table import CONTEXT, evidence

pytestmark = pytest.mark.capability("metrics and controls", scale="T")


def test_the_actions_are_those_of_the_procedural_world() -> None:
    assert obedience.ACTIONS == world.ACTIONS


@pytest.mark.parametrize(
    ("prompt", "action"),
    [
        ("A woman turns the head to the left.", "turns left"),
        ("an elderly man looks up", "looks up"),
        ("a boy nods, then smiles", "nods"),
        ("a man smiles at the camera", None),
        ("a girl looks upwards", None),
        ("a baby", None),
    ],
)
def test_a_sentence_names_its_action_or_none(prompt: str, action: str | None) -> None:
    assert obedience.action_of(prompt) == action


def _drawn(action: str, *, frames: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    made = clip(person(10_100), action, shot(rng), num_frames=frames, size=64, rng=rng)
    landmarks = np.stack([face.landmarks for face in made.faces]).astype(float)
    return made.frames, landmarks, np.stack([face.box for face in made.faces]).astype(float)


@pytest.mark.parametrize(
    ("action", "opposite"),
    [
        ("turns left", "turns right"),
        ("looks up", "looks down"),
        ("tilts left", "tilts right"),
        ("walks closer", "steps back"),
    ],
)
def test_a_drawn_person_does_it_and_backwards_the_opposite(action: str, opposite: str) -> None:
    drawn = _drawn(action)
    there = obedience.strengths(*drawn)
    back = obedience.strengths(*(part[::-1] for part in drawn))
    assert obedience.does(there, action) and not obedience.does(there, opposite)
    assert obedience.does(back, opposite) and not obedience.does(back, action)


def test_a_head_that_tips_to_the_side_turns() -> None:
    frames, landmarks, boxes = _drawn("tilts left")
    values = table.opened(CONTEXT).measure(
        evidence(frames=frames, landmarks=landmarks, boxes=boxes, embeddings=np.ones((9, 2)))
    )
    tipped = extent.a_second((pose.roll(frames, landmarks),), 8)
    assert values["turn"] is not None and tipped is not None
    assert values["turn"] >= tipped > 5


def test_a_face_at_rest_does_nothing() -> None:
    at_rest = (np.repeat(part[:1], 9, axis=0) for part in _drawn("nods"))
    found = obedience.strengths(*at_rest)
    assert not any(obedience.does(found, action) for action in obedience.ACTIONS)


def test_without_faces_in_half_of_the_frames_nothing_is_read() -> None:
    frames, landmarks, boxes = _drawn("turns left")
    landmarks[:5], boxes[:5] = np.nan, np.nan
    assert obedience.strengths(frames, landmarks, boxes) == {}
    assert extent.trembling(landmarks, boxes, 8) is None


def test_motion_is_the_same_in_a_larger_picture_and_at_half_the_rate() -> None:
    going = np.linspace(0.0, 0.5, 9)
    once = extent.a_second((going,), 8)
    assert once == pytest.approx(0.45)
    assert extent.a_second((going[::2],), 4) == pytest.approx(once)
    assert extent.a_second((np.concatenate([going, going[-2::-1]]),), 8) == pytest.approx(once)


def test_an_even_motion_does_not_tremble_and_noise_does_at_any_rate() -> None:
    boxes = np.tile([0.0, 0.0, 10.0, 20.0], (41, 1))
    even = np.ones((41, 5, 2)) * np.arange(41)[:, None, None]
    assert extent.trembling(even, boxes, 8) == pytest.approx(0.0, abs=1e-9)
    noise = even + np.random.default_rng(1).normal(0, 1, even.shape)
    at_eight = extent.trembling(noise, boxes, 8)
    assert at_eight == pytest.approx(np.sqrt(2) / 20, rel=0.15)
    assert extent.trembling(noise[::2], boxes[::2], 4) == pytest.approx(at_eight, rel=0.3)
