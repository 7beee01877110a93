"""The second chance: padded passes, their stricter threshold, and coordinates mapped back."""

from types import SimpleNamespace

import numpy as np
import pytest

from mm_model.facepack.detect import GREY, LONGEST_LOOKED_AT, chosen_faces, distinct
from tests.faces.faked import FakePack, face

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


@pytest.mark.parametrize("shape", [(64, 20_000), (1, 89_000_000), (30_000, 3), (100, 6_500)])
def test_a_strip_is_not_looked_at(shape: tuple[int, int]) -> None:
    """Its border alone would take gigabytes, and no detector can see a face in it."""
    pack = FakePack(lambda image: [face(0, 0, 5)])
    picture = np.broadcast_to(np.uint8(7), (*shape, 3))
    assert chosen_faces(pack, picture, RULES).faces == ()
    assert pack.shown == []


@pytest.mark.parametrize("shape", [(3_600, 16_000), (8_900, 10_000), (6_000, 3_000)])
def test_a_large_picture_is_reduced_before_it_gets_a_border(shape: tuple[int, int]) -> None:
    pack = FakePack(lambda image: [])
    chosen_faces(pack, np.broadcast_to(np.uint8(7), (*shape, 3)), RULES)
    borders = [2 * round(LONGEST_LOOKED_AT * pad) for pad in (0, *RULES.pads)]
    wanted = [LONGEST_LOOKED_AT + border for border in borders]
    assert [max(seen[:2]) for seen, _ in pack.shown] == wanted


@pytest.mark.parametrize("bare", [True, False])
def test_faces_of_a_large_picture_are_in_its_own_pixels(bare: bool) -> None:
    """A bright square of 900 pixels is found by its brightness, wherever the detector looks."""

    def sees(image: np.ndarray) -> list:
        if not bare and image[0, 0, 0] != GREY:
            return []
        rows, columns = np.nonzero(image[..., 0] > 200)
        side = columns.max() + 1 - columns.min()
        return [face(columns.min(), rows.min(), side)]

    picture = np.zeros((4_000, 9_000, 3), np.uint8)
    picture[1_000:1_900, 5_000:5_900] = 255
    found = chosen_faces(FakePack(sees), picture, RULES)
    assert (found.pad == 0) == bare
    np.testing.assert_allclose(found.faces[0].box, [5_000, 1_000, 5_900, 1_900], atol=4)
    np.testing.assert_allclose(found.faces[0].landmarks, face(5_000, 1_000, 900).landmarks, atol=5)


@pytest.mark.parametrize(
    ("sides", "counted", "bystanders"),
    [
        ((263, 35), 1, 1),
        ((200, 49.9), 1, 1),
        ((200, 50), 2, 0),
        ((35, 263, 20), 1, 2),
        ((100, 90, 20), 2, 1),
        ((263,), 1, 0),
    ],
)
def test_faces_far_smaller_than_the_largest_do_not_count(
    sides: tuple[float, ...], counted: int, bystanders: int
) -> None:
    faces = [face(300 * place, 0, side, 0.9 - place / 100) for place, side in enumerate(sides)]
    sighting = chosen_faces(FakePack(lambda image: faces), IMAGE, RULES)
    assert (len(sighting.faces), len(sighting.bystanders)) == (counted, bystanders)
    assert sighting.every_face == len(sides)


@pytest.mark.parametrize(
    ("bare", "bordered", "main", "bystanders", "pad"),
    [
        (20, 90, 90, 1, 0.25),
        (20, None, 20, 0, 0),
        (24, 95, 24, 0, 0),
        (24, 97, 97, 1, 0.25),
        (30, 90, 30, 0, 0),
    ],
)
def test_a_bystander_does_not_hide_the_face_that_fills_the_picture(
    bare: float, bordered: float | None, main: float, bystanders: int, pad: float
) -> None:
    """The detector sees the small face at once, the large one only with a border."""
    small = face(2, 2, bare)

    def sees(image: np.ndarray) -> list:
        border = (image.shape[1] - 200) / 2
        large = [face(80 + border, 4 + border, bordered)] if border and bordered else []
        return [small.moved(border, border), *large]

    sighting = chosen_faces(FakePack(sees), IMAGE, RULES)
    assert [found.short_side for found in sighting.faces] == [pytest.approx(main)]
    assert (len(sighting.bystanders), sighting.pad) == (bystanders, pad)


def test_what_was_nearly_a_face_is_remembered_with_what_it_was_held_to() -> None:
    assert chosen_faces(_sees_from(240, 0.64), IMAGE, RULES).missed == (0.64, 0.65)
    assert chosen_faces(_sees_from(0, 0.45), IMAGE, RULES).missed == (0.45, 0.5)
    assert chosen_faces(FakePack(lambda image: []), IMAGE, RULES).missed is None
    assert chosen_faces(_sees_from(0, 0.5), IMAGE, RULES).missed is None
