"""Alignment: the least-squares similarity and the crop recognisers are trained on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.facepack.template import (
    ARCFACE_112,
    arcface_template,
    around_face,
    norm_crop,
    similarity_transform,
)

_points = np.array([[0, 0], [40, 3], [22, 25], [5, 44], [37, 47]], np.float64)


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 20),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
)
def test_a_known_similarity_is_recovered(angle: float, scale: float, x: float, y: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scale * _points @ turn.T + [x, y]
    matrix = similarity_transform(_points, moved)
    np.testing.assert_allclose(matrix[:, :2], scale * turn, atol=1e-6 * scale)
    np.testing.assert_allclose(_points @ matrix[:, :2].T + matrix[:, 2], moved, atol=1e-5)


def test_a_mirrored_face_is_never_reflected_onto_the_template() -> None:
    mirrored = ARCFACE_112 * [-1, 1] + [112, 0]
    assert np.linalg.det(similarity_transform(mirrored, ARCFACE_112)[:, :2]) > 0


def test_agrees_with_insightface() -> None:
    from insightface.utils import face_align

    rng = np.random.default_rng(0)
    for _ in range(5):
        landmarks = (ARCFACE_112 * 2.3 + rng.normal(0, 5, (5, 2)) + 40).astype(np.float32)
        theirs = face_align.estimate_norm(landmarks)
        np.testing.assert_allclose(similarity_transform(landmarks, ARCFACE_112), theirs, atol=2e-4)


def test_templates_of_other_sizes() -> None:
    np.testing.assert_allclose(arcface_template(224), 2 * ARCFACE_112)
    np.testing.assert_allclose(arcface_template(128), ARCFACE_112 + np.array([8, 0]))
    with pytest.raises(ValueError, match="100"):
        arcface_template(100)


def test_landmarks_in_one_point_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        norm_crop(np.zeros((64, 64, 3), np.uint8), np.full((5, 2), 30.0))


def test_the_crop_puts_the_eyes_on_the_template_and_black_outside() -> None:
    image = np.full((200, 200, 3), 90, np.uint8)
    landmarks = ARCFACE_112 * 1.5 + [20, 10]
    for x, y in landmarks[:2]:
        image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = (250, 10, 10)
    crop = norm_crop(image, landmarks)
    assert crop.shape == (112, 112, 3)
    for x, y in ARCFACE_112[:2]:
        assert crop[round(y), round(x), 0] > 200
    assert (norm_crop(image, landmarks - 60)[:20, :20] == 0).all()


@pytest.mark.parametrize("place", [(2_500, 300), (40, 40), (5_960, 560), (5_990, 20)])
def test_the_crop_of_a_large_picture_reads_only_what_is_around_the_face(
    place: tuple[int, int],
) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (60, 600, 3), np.uint8)
    picture = coarse.repeat(10, axis=0).repeat(10, axis=1)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    landmarks = ((ARCFACE_112 - 56) @ turn.T * 1.3 + place).astype(np.float32)
    part, within = around_face(picture, landmarks)
    assert part.shape[1] < 1_000
    whole = norm_crop(picture, landmarks).astype(int)
    assert np.abs(norm_crop(part, within).astype(int) - whole).max() <= 2


def test_a_face_outside_a_large_picture_gives_a_black_crop() -> None:
    picture = np.full((50, 5_000, 3), 200, np.uint8)
    part, within = around_face(picture, ARCFACE_112 + np.array([0, 9_000]))
    assert norm_crop(part, within).max() == 0
