"""The square around a face: where it lies, what is outside, and that a huge picture stays cheap."""

import tracemalloc

import numpy as np
import pytest

from mm_model.facepack.port import Face
from mm_model.generation.references import prepare_references
from mm_model.nn.identity.portrait import LARGEST, portrait

SHAPE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def face_at(left: float, top: float, side: float) -> Face:
    box = np.array([left, top, left + side, top + side], np.float32)
    return Face(box, 0.9, (SHAPE * side + (left, top)).astype(np.float32))


def test_the_square_is_centred_on_the_face_and_grey_outside() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[40:60, 10:30] = 255
    cut = portrait(picture, face_at(10, 40, 20), 3.0)
    assert cut.image.size == (60, 60)
    pixels = np.asarray(cut.image)
    assert (pixels[20:40, 20:40] == 255).all()
    assert (pixels[:, :9] == 127).all() and (pixels[:, 11:20] == 0).all()
    np.testing.assert_allclose(cut.landmarks, SHAPE * 20 + 20, atol=1e-4)


def test_without_a_margin_the_whole_picture_is_shown() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    cut = portrait(picture, face_at(10, 40, 20), None)
    assert np.array_equal(np.asarray(cut.image), picture)
    np.testing.assert_array_equal(cut.landmarks, face_at(10, 40, 20).landmarks)


@pytest.mark.parametrize("margin", [1.6, 16.0, None])
@pytest.mark.parametrize(
    "face", [face_at(100, 200, 5600), face_at(-900, -900, 7800), face_at(5000, 20, 300)]
)
def test_a_huge_picture_costs_little(margin: float | None, face: Face) -> None:
    """Beside the picture: what is looked at (at most 4096 pixels a side) and one portrait."""
    picture = np.full((6000, 6000, 3), 90, np.uint8)
    tracemalloc.start()
    try:
        given = prepare_references([picture], [face], margin, 224)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert given.pixels.shape == (1, 3, 224, 224)
    assert most < 130e6
    cut = portrait(picture, face, margin)
    assert max(cut.image.size) <= LARGEST + 1


def test_a_reduced_portrait_shows_what_the_whole_one_shows() -> None:
    """Landmarks stay on what they mark: a bright spot at the nose."""
    picture = np.zeros((3000, 3600, 3), np.uint8)
    face = face_at(900, 600, 1800)
    x, y = face.landmarks[2].astype(int)
    picture[y - 40 : y + 40, x - 40 : x + 40] = 255
    cut = portrait(picture, face, 1.6)
    assert max(cut.image.size) <= LARGEST + 1
    bright = np.argwhere(np.asarray(cut.image)[..., 0] > 128).mean(0)[::-1]
    np.testing.assert_allclose(bright, cut.landmarks[2], atol=1.5)
