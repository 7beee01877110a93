"""What a refiner leaves alone, what it redraws, and whom it shows there."""

import numpy as np
import pytest
import torch

from mm_model.errors import UserError
from mm_model.refine import boxes, tiled
from mm_model.refine.plan import RefinePlan, refined
from mm_model.refine.port import left_of
from tests.refine.drawn import SIDE, Painter, face, find, noise, with_faces

pytestmark = pytest.mark.capability("refined clips", scale="T")

FACE, TILED = RefinePlan(("face",)), RefinePlan(("tiled",))


def test_strength_zero_is_the_clip_itself_and_runs_no_model() -> None:
    clip, painter = with_faces(noise(3, 61, 79), [(10, 10)] * 3), Painter()
    made = refined(clip, RefinePlan(strength=0.0), painter, find)
    assert np.array_equal(made.frames, clip) and not painter.ran
    assert all("stays as it is" in note for note in made.notes)
    assert RefinePlan(strength=0.0).unchanged and not RefinePlan().unchanged


@pytest.mark.parametrize(
    ("steps", "strength", "left"), [(20, 0.8, 16), (100, 0.29, 29), (10, 1, 10)]
)
def test_the_strength_says_how_many_steps_run(steps: int, strength: float, left: int) -> None:
    assert left_of(steps, strength) == left


@pytest.mark.parametrize("model", [(32, 32), (32, 48)])
def test_outside_the_crop_nothing_changes_and_inside_it_is_redrawn(model: tuple[int, int]) -> None:
    clip = with_faces(noise(4, 121, 161), [(50, 60)] * 4)
    given, painter = clip.copy(), Painter(model)
    made = refined(clip, FACE, painter, find).frames
    assert np.array_equal(clip, given), "what was given stays as it is"
    path = boxes.crop_of(boxes.tracked(clip, find), clip.shape[1:3], model)  # type: ignore[arg-type]
    inside = np.zeros(clip.shape[:3], bool)
    for k, (top, left) in enumerate(path.corners):
        inside[k, top : top + path.height, left : left + path.width] = True
    assert np.array_equal(made[~inside], clip[~inside])
    assert path.height / path.width == pytest.approx(model[0] / model[1], abs=0.03)
    assert path.height == 3 * SIDE
    top, left = path.corners[0]
    core = made[:, top + 5 : top + path.height - 5, left + 5 : left + path.width - 5]
    assert (core == 255).all(), "the painter paints the subject white"
    edge, old = made[:, top + 10, left].astype(int), clip[:, top + 10, left].astype(int)
    assert (edge != 255).all() and (edge >= old).all(), "the edge fades"
    assert all(subject for _, subject in painter.asked)


def test_a_crop_at_the_border_stays_inside_and_does_not_fade_there() -> None:
    clip = with_faces(noise(3, 90, 90), [(0, 0)] * 3)
    made = refined(clip, FACE, Painter(), find).frames
    assert made.shape == clip.shape and (made[:, 0, 0] == 255).all()
    assert np.array_equal(made[:, 48:], clip[:, 48:])


def test_a_clip_smaller_than_the_crop_is_cropped_whole() -> None:
    clip = with_faces(noise(1, 21, 33), [(2, 5)])
    made = refined(clip, FACE, Painter(), find).frames
    assert made.shape == clip.shape and not np.array_equal(made, clip)


@pytest.mark.parametrize("corners", [[None] * 5, [(5, 5), (5, 5), None, None, None]])
def test_without_a_face_the_clip_is_unchanged_and_a_note_says_so(corners: list) -> None:
    clip, painter = with_faces(noise(5, 64, 64), corners), Painter()
    made = refined(clip, FACE, painter, find)
    assert made.frames is clip and not painter.ran
    assert "no face" in made.notes[0]


def test_a_face_under_ten_pixels_is_none() -> None:
    clip = noise(3, 64, 64)
    assert boxes.tracked(clip, lambda _: [face(5, 5, 25, 14.5)]) is None
    assert boxes.tracked(clip, lambda _: [face(5, 5, 25, 15.5)]) is not None


def test_the_crop_follows_a_moving_face_at_constant_size() -> None:
    corners = [(60, 20 + 4 * k) for k in range(16)]
    corners[7] = None  # type: ignore[call-overload]
    clip = with_faces(noise(16, 160, 160), corners)
    track = boxes.tracked(clip, find)
    assert track is not None and track.found == 15
    path = boxes.crop_of(track, (160, 160), (32, 32))
    lefts = path.corners[:, 1]
    assert (np.diff(lefts) >= 0).all() and lefts[-1] - lefts[0] > 45
    assert (np.diff(path.corners[:, 0]) == 0).all()
    assert path.cut(clip).shape == (16, 48, 48, 3)
    centre = path.corners[:, 1] + path.width / 2
    wanted = np.array([28 + 4 * k for k in range(16)])
    away = np.abs(centre - wanted)[3:-3]
    assert away.max() < 4


def test_a_detector_that_trembles_does_not_move_the_crop() -> None:
    rng, calls = np.random.default_rng(0), iter(range(99))

    def trembling(_: np.ndarray) -> list:
        next(calls)
        dx, dy = rng.normal(0, 1.0, 2)
        return [face(60 + dx, 60 + dy, 80 + dx, 80 + dy)]

    track = boxes.tracked(noise(24, 160, 160), trembling)
    path = boxes.crop_of(track, (160, 160), (32, 32))  # type: ignore[arg-type]
    assert np.abs(np.diff(path.corners, axis=0)).sum() <= 2


def test_of_several_faces_the_one_that_fills_most_of_the_clip_is_followed() -> None:
    seen = [face(5, 5, 25, 25), face(100, 100, 140, 140)]
    track = boxes.tracked(noise(4, 160, 160), lambda _: seen)
    assert track is not None and track.side == 40 and track.centres[0, 0] == 120


@pytest.mark.parametrize("whole", [(4, 4), (16, 16), (17, 40), (31, 9), (120, 180)])
def test_windows_cover_everything_and_their_shares_sum_to_one(whole: tuple[int, int]) -> None:
    windows = tiled.windows_of(whole, (16, 24))
    latents = torch.rand(1, 2, 3, *whole)
    assert {(w.height, w.width) for w in windows} == {(min(16, whole[0]), min(24, whole[1]))}
    made = tiled.fused(latents, windows, lambda w: w.cut(latents))
    assert torch.allclose(made, latents, atol=1e-6)
    ones = torch.ones_like(latents)
    assert torch.equal(tiled.fused(ones, windows, lambda w: w.cut(ones)), ones)
    if max(whole) > 100:
        rows = sorted({w.top for w in windows})
        assert max(np.diff(rows)) <= 0.75 * 16


def test_the_order_of_windows_changes_nothing() -> None:
    latents = torch.rand(1, 2, 3, 40, 50)
    windows = tiled.windows_of((40, 50), (16, 16))

    def said(window: tiled.TileWindow) -> torch.Tensor:
        return torch.sin(window.cut(latents) * (1 + window.top) + window.left)

    one = tiled.fused(latents, windows, said)
    mixed = [windows[k] for k in np.random.default_rng(0).permutation(len(windows))]
    assert torch.equal(one, tiled.fused(latents, mixed, said))


def test_a_tiled_clip_is_twice_as_large_and_hears_the_subject_only_at_the_face() -> None:
    clip = with_faces(noise(3, 63, 85), [(4, 4)] * 3)
    painter = Painter()
    made = refined(clip, TILED, painter, find)
    assert made.frames.shape == (3, 126, 170, 3)
    told = [subject for _, subject in painter.asked]
    assert 0 < sum(told) < len(told)
    assert (made.frames[:, 8:20, 8:20] > 200).all(), "the face is the subject's"
    assert (made.frames[:, 80:, 120:] == 0).all(), "the ground far from it is not"
    assert {shape[-2:] for shape, _ in painter.asked} == {(8, 8)}


def test_a_tiled_clip_hears_the_subject_at_a_face_in_the_far_corner() -> None:
    """The clip has doubled, so the face stands at twice its place."""
    made = refined(with_faces(noise(1, 63, 85), [(44, 66)]), TILED, Painter(), find)
    assert (made.frames[:, 92:116, 136:160] > 200).all(), "the face is the subject's"
    assert (made.frames[:, :40, :60] == 0).all(), "the ground far from it is not"


def test_a_tiled_clip_without_a_face_never_hears_the_subject() -> None:
    painter = Painter()
    made = refined(noise(1, 40, 40), TILED, painter, find)
    assert not any(subject for _, subject in painter.asked)
    assert "no face was found" in made.notes[0] and made.frames.shape == (1, 80, 80, 3)


def test_both_steps_run_in_their_order() -> None:
    clip = with_faces(noise(3, 70, 70), [(20, 20)] * 3)
    made = refined(clip, RefinePlan.of("face, tiled", 0.5), Painter(), find)
    assert [note.split(":")[0] for note in made.notes] == ["face", "tiled"]
    assert made.frames.shape == (3, 140, 140, 3)


def test_too_many_frames_are_refused_in_one_sentence() -> None:
    clip = with_faces(noise(17, 64, 64), [(9, 9)] * 17)
    for plan in (FACE, TILED):
        with pytest.raises(UserError, match="17 frames"):
            refined(clip, plan, Painter(), find)


@pytest.mark.parametrize("steps", ["", "face,face", "sharpen", "face,,tiled"])
def test_steps_that_are_none_are_refused(steps: str) -> None:
    with pytest.raises(UserError, match="face and tiled"):
        RefinePlan.of(steps)


def test_the_crop_is_as_large_as_asked_for() -> None:
    clip = with_faces(noise(1, 121, 161), [(50, 60)])
    changed = [
        (refined(clip, RefinePlan(("face",), 0.5, crop), Painter(), find).frames != clip).any(-1)
        for crop in (1.5, 2.0, 3.0)
    ]
    sides = [int(one[0].any(1).sum()) for one in changed]
    assert all(abs(side - crop * SIDE) <= 1 for side, crop in zip(sides, (1.5, 2, 3), strict=True))
    assert sides == sorted(sides) and sides[0] < sides[1] < sides[2]


@pytest.mark.parametrize("crop", [0.9, 10.5, float("nan")])
def test_a_crop_outside_its_bounds_is_refused(crop: float) -> None:
    with pytest.raises(UserError, match="1 to 10 times the face"):
        RefinePlan(crop=crop)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_its_bounds_is_refused(strength: float) -> None:
    with pytest.raises(UserError, match="from 0 to 1"):
        RefinePlan(strength=strength)
