"""Pictures and clips: reproducible, with truthful landmarks that follow the head."""

from dataclasses import replace

import numpy as np
import pytest

from mm_model.embedded.people.action import ACTIONS, Pose, describe, draw_still, trajectory
from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.people import CATEGORIES, person
from mm_model.embedded.people.render import render
from mm_model.embedded.people.shot import ShotSetup, shot

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def _nose_share(frame):
    """Where the nose is between the eyes: 0 at the image-left eye, 1 at the image-right one."""
    eyes = frame.landmarks[[LEFT_EYE, RIGHT_EYE], 0]
    return (frame.landmarks[NOSE, 0] - eyes[0]) / (eyes[1] - eyes[0])


@pytest.mark.parametrize("size", [32, 64, 128])
def test_same_arguments_same_bits(size):
    a, b = (photograph(person(3), np.random.default_rng(5), size) for _ in range(2))
    assert a.image.shape == (size, size, 3)
    assert a.image.dtype == np.uint8
    assert (a.image == b.image).all()
    assert (a.landmarks == b.landmarks).all()


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    first = photograph(person(11), np.random.default_rng(1), 64).image
    for seed in range(30):
        photograph(person(seed), np.random.default_rng(seed), 96)
    assert (photograph(person(11), np.random.default_rng(1), 64).image == first).all()


@pytest.mark.parametrize("seed", range(0, 70, 3))
def test_landmarks_lie_in_the_box_in_order_and_the_box_in_the_picture(seed):
    frame = photograph(person(seed), np.random.default_rng(seed), 128)
    x1, y1, x2, y2 = frame.box
    x, y = frame.landmarks.T
    assert frame.visible
    assert y1 >= 0 and y2 <= 128 * 1.05
    slack = 0.06 * (x2 - x1)  # a turned nose may leave the cheeks' outline
    assert (x > x1 - slack).all() and (x < x2 + slack).all()
    assert (y > y1).all() and (y < y2).all()
    assert x[LEFT_EYE] < x[RIGHT_EYE] and x[LEFT_MOUTH] < x[RIGHT_MOUTH]
    assert max(y[:2]) < y[NOSE] < max(y[3:])


def test_face_height_is_what_the_shot_asks():
    frame = render(person(0), ShotSetup(face_height=0.5), Pose(), 128)
    assert frame.box[3] - frame.box[1] == pytest.approx(1.1 * 64, rel=0.1)


@pytest.mark.parametrize("seed", range(7))
def test_turning_moves_the_nose_to_that_side_of_the_picture(seed):
    left, middle, right = (
        _nose_share(render(person(seed), ShotSetup(), trajectory(action, t), 128))
        for action, t in (("turns left", 1.0), ("turns left", 0.0), ("turns right", 1.0))
    )
    assert left < middle - 0.15
    assert right > middle + 0.15


def test_pitch_and_roll_move_landmarks_as_documented():
    def at(pose):
        return render(person(1), ShotSetup(), pose, 128).landmarks

    rest = at(Pose())
    assert at(Pose(pitch=15))[NOSE, 1] > rest[NOSE, 1] > at(Pose(pitch=-15))[NOSE, 1]
    tipped = at(Pose(roll=15))  # the top of the head goes right, so the right eye sinks
    assert tipped[RIGHT_EYE, 1] > tipped[LEFT_EYE, 1] + 3
    assert tipped[LEFT_EYE, 0] > rest[LEFT_EYE, 0]


def test_a_smile_widens_the_mouth_and_walking_closer_enlarges_the_face():
    def width(pose, a, b):
        points = render(person(2), ShotSetup(), pose, 128).landmarks
        return points[b, 0] - points[a, 0]

    smile = trajectory("smiles", 1.0)
    assert width(smile, LEFT_MOUTH, RIGHT_MOUTH) > width(Pose(), LEFT_MOUTH, RIGHT_MOUTH)
    near, far = trajectory("walks closer", 1.0), trajectory("walks closer", 0.0)
    assert width(near, LEFT_EYE, RIGHT_EYE) > 1.2 * width(far, LEFT_EYE, RIGHT_EYE)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_shows_and_moves_smoothly(action):
    made = clip(
        person(8),
        action,
        ShotSetup(noise=0.0),
        num_frames=17,
        size=64,
        rng=np.random.default_rng(0),
    )
    frames = made.frames.astype(float)
    assert frames.shape == (17, 64, 64, 3)
    assert len(made.faces) == 17
    assert max(np.abs(f - frames[0]).mean() for f in frames) > 0.8
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).max() < 14
    assert len(ACTIONS) >= 8


def test_expression_changes_pixels_where_it_should():
    who, place = person(0), ShotSetup(noise=0.0)
    rest = render(who, place, Pose(), 128)
    shut = render(who, place, Pose(eyes_closed=1.0), 128)
    spoken = render(who, place, Pose(mouth_open=1.0), 128)
    rows = int(rest.landmarks[NOSE, 1])
    for other, above in ((shut, True), (spoken, False)):
        change = np.abs(other.image.astype(int) - rest.image).sum(axis=(1, 2))
        assert (change[:rows].sum() > change[rows:].sum()) == above


def test_light_background_and_clothes_are_the_shots_alone():
    place = replace(ShotSetup(), noise=0.0)
    corners = [render(person(s), place, Pose(), 64).image[:6, :6] for s in (0, 1, 6)]
    assert all((c == corners[0]).all() for c in corners)
    same = [shot(np.random.default_rng(4)) for _ in range(2)]
    assert same[0] == same[1]


def test_stills_are_moderate_and_described_by_what_they_show():
    rng = np.random.default_rng(0)
    poses = [draw_still(rng) for _ in range(300)]
    assert all(abs(p.yaw) <= 30 for p in poses)
    assert describe(Pose()) == "neutral"
    assert describe(Pose(yaw=-25)) == "faces left"
    assert describe(Pose(smile=0.9)) == "smiling"
    assert len({describe(p) for p in poses}) >= 6


def test_every_category_can_be_drawn_large():
    for seed in range(len(CATEGORIES)):
        assert photograph(person(seed), np.random.default_rng(0), 256).image.std() > 10


def test_too_small_a_picture_and_an_unknown_action_are_refused():
    with pytest.raises(ValueError, match="at least 32"):
        render(person(0), ShotSetup(), Pose(), 16)
    with pytest.raises(ValueError, match="unknown action"):
        clip(person(0), "flies", ShotSetup(), num_frames=3, size=64, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least one frame"):
        clip(person(0), "nods", ShotSetup(), num_frames=0, size=64, rng=np.random.default_rng(0))
