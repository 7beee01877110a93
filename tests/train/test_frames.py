"""Which frames a training clip takes, and where faces land after cutting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.generation import crops
from mm_model.generation.clips import Size, together
from mm_model.generation.frames import frame_indices
from mm_model.settings import load_profile


@given(st.integers(1, 400), st.floats(1, 60), st.sampled_from([1, 9, 17]), st.integers(4, 24))
def test_indices_are_ordered_and_inside_the_clip(count, source_fps, wanted, fps) -> None:
    indices = frame_indices(num_source=count, source_fps=source_fps, num_frames=wanted, fps=fps)
    assert len(indices) == wanted
    assert all(0 <= i < count for i in indices)
    assert indices == sorted(indices)


def test_a_clip_at_the_training_rate_gives_neighbouring_middle_frames() -> None:
    assert frame_indices(num_source=17, source_fps=8, num_frames=9, fps=8) == list(range(4, 13))


def test_a_faster_clip_is_thinned_out() -> None:
    indices = frame_indices(num_source=100, source_fps=24, num_frames=9, fps=8)
    assert np.diff(indices).tolist() == [3] * 8


def test_a_picture_gives_its_only_frame() -> None:
    assert frame_indices(num_source=1, source_fps=0.1, num_frames=1, fps=8) == [0]


@given(
    st.integers(40, 300),
    st.integers(40, 300),
    st.floats(1, 3),
    st.floats(0.05, 0.6),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_window_lies_inside_the_frame_and_holds_the_face(
    height, width, margin, share, px, py
) -> None:
    side = share * min(height, width)
    left, top = px * (width - side), py * (height - side)
    boxes = np.array([[left, top, left + side, top + side]])
    window = crops.face_window(boxes, (height, width), margin=margin, aspect=1.0)
    assert window.left >= 0 and window.left + window.width <= width + 1
    assert window.top >= 0 and window.top + window.height <= height + 1
    assert window.left <= left + 1 and window.left + window.width >= left + side - 1.5


def test_landmarks_follow_the_pixels() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[90:94, 110:114] = 255
    box = np.array([[80.0, 60, 140, 130]])
    window = crops.face_window(box, (200, 200), margin=2.0, aspect=1.0)
    cut = crops.cut(frame, window, (64, 64))
    x, y = crops.into_window(np.array([112.0, 92.0]), window, (64, 64))
    bright = np.argwhere(cut[..., 0] > 100).mean(axis=0)
    assert bright == pytest.approx([y, x], abs=1.0)


@given(st.integers(40, 300), st.integers(40, 300), st.sampled_from([1.0, 1.5, 0.7]))
def test_the_whole_picture_lies_in_its_window_and_touches_two_sides(height, width, aspect) -> None:
    window = crops.whole_window((height, width), aspect=aspect)
    assert window.left <= 0 and window.left + window.width >= width
    assert window.top <= 0 and window.top + window.height >= height
    assert window.width == width or window.height == height
    assert window.width / window.height == pytest.approx(aspect, rel=0.03)


@pytest.mark.parametrize(
    ("shape", "black"),
    [
        ((96, 96), np.s_[:, [*range(24), *range(120, 144)]]),  # as the paper's: black on two sides
        ((48, 96), np.s_[[*range(12), *range(84, 96)]]),  # wider than the frame
        ((64, 96), np.s_[:0]),  # of its shape: nowhere
    ],
)
def test_a_squared_picture_stands_whole_between_black_borders(shape, black) -> None:
    picture = np.random.default_rng(1).integers(60, 200, (*shape, 3), np.uint8)
    made = crops.cut(picture, crops.whole_window(shape, aspect=1.5), (96, 144), black=True)
    assert made.shape == (96, 144, 3)
    dark = np.zeros(made.shape[:2], bool)
    dark[black] = True
    assert np.array_equal((made == 0).all(axis=2), dark)
    if shape == (96, 96):
        assert np.array_equal(made[:, 24:120], picture), "nothing of it is cut or moved"


@pytest.mark.parametrize(("frames", "at_once"), [(9, 16), (1, 16)])
def test_small_samples_are_taken_as_many_at_once_as_ever(root, frames, at_once) -> None:
    assert together(Size.of(load_profile(root, "tiny").model, frames), 16) == at_once


def test_clips_of_the_paper_s_size_are_taken_one_at_a_time(root) -> None:
    sizes = load_profile(root, "paper").model
    assert together(Size.of(sizes), 16) == 1
    assert together(Size.of(sizes, 1), 100) == 48
