"""The second chance: padded passes, their stricter threshold, and coordinates mapped back."""

from types import SimpleNamespace

import numpy as np
import pytest
from faked import FakePack, face

from mm_model.eyes.detect import GREY, chosen_faces, distinct

RULES = SimpleNamespace(
    detection_above=0.5, padded_detection_above=0.65, pads=(0.1, 0.25), bystander_below=0.25
)
IMAGE = np.full((100, 200, 3), 7, np.uint8)


def _sees_from(width: int, score: float, x: float = 60.0) -> FakePack:
    return FakePack(lambda image: [face(x, 55, 50, score)] if image.shape[1] >= width else [])


def test_a_bare_hit_is_taken_and_nothing_else_is_tried() -> None:
    pack = _sees_from(0, 0.5)
    sighting = chosen_faces(pack, IMAGE, RULES)
    assert sighting.pad == 0
    assert [shape for shape, _ in pack.shown] == [(100, 200, 3)]
    np.testing.assert_allclose(sighting.faces[0].box, [60, 55, 110, 105])


@pytest.mark.parametrize(("width", "pad", "border"), [(240, 0.1, 20), (300, 0.25, 50)])
def test_padded_coordinates_are_those_of_the_bare_picture(
    width: int, pad: float, border: int
) -> None:
    sighting = chosen_faces(_sees_from(width, 0.9), IMAGE, RULES)
    assert sighting.pad == pad
    np.testing.assert_allclose(
        sighting.faces[0].box, np.array([60, 55, 110, 105]) - border, atol=1e-4
    )
    np.testing.assert_allclose(
        sighting.faces[0].landmarks, face(60 - border, 55 - border, 50).landmarks, atol=1e-4
    )


def test_the_border_is_grey_and_a_share_of_the_longer_side() -> None:
    seen = []
    chosen_faces(FakePack(lambda image: seen.append(image) or []), IMAGE, RULES)
    bare, small, large = seen
    assert bare.shape == (100, 200, 3)
    assert small.shape == (140, 240, 3)
    assert large.shape == (200, 300, 3)
    assert (small[:20] == GREY).all()
    assert (small[20:-20, 20:-20] == 7).all()


@pytest.mark.parametrize(("score", "found"), [(0.64, 0), (0.65, 1)])
def test_a_padded_hit_needs_the_stricter_score(score: float, found: int) -> None:
    """A dog at 0.60 with a border is no face, though 0.60 would do on the bare picture."""
    assert len(chosen_faces(_sees_from(240, score), IMAGE, RULES).faces) == found


def test_one_face_boxed_twice_counts_once_and_two_faces_count_twice() -> None:
    small, large, other = face(40, 30, 50, 0.97), face(20, 20, 90, 0.6), face(130, 30, 50, 0.7)
    assert distinct([large, other, small]) == [small, other]
    half_over = face(65, 30, 50, 0.8)
    assert distinct([small, half_over]) == [small, half_over]
