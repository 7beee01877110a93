"""The control that knows colours alone."""

import numpy as np

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.port import Face, unit
from mm_model.judges.colour import ColourJudge

COLOUR = ColourJudge()


def _drawn(
    skin: tuple[int, int, int], hair: tuple[int, int, int], width: int = 20
) -> tuple[np.ndarray, Face]:
    """A patch of skin under a patch of hair, with a face's landmarks in it."""
    image = np.full((64, 64, 3), 120, np.uint8)
    image[2:20, 32 - width : 32 + width] = hair
    image[20:60, 32 - width : 32 + width] = skin
    points = np.array([[26, 28], [38, 28], [32, 36], [27, 44], [37, 44]], np.float32)
    return image, Face(np.array([14, 12, 50, 56], np.float32), 0.9, points)


def _alike(one: tuple[np.ndarray, Face], other: tuple[np.ndarray, Face]) -> float:
    return float(unit(COLOUR.embed(*one)) @ unit(COLOUR.embed(*other)))


def test_equal_colours_are_alike_whatever_the_shape_and_others_are_not() -> None:
    fair, dark = (243, 200, 168), (99, 64, 46)
    blond, black = (214, 168, 92), (28, 24, 26)
    one = _drawn(fair, black)
    assert _alike(one, _drawn(fair, black, width=16)) > 0.99
    assert _alike(one, _drawn(dark, black)) < 0.8
    assert _alike(one, _drawn(fair, blond)) < 0.8


def test_light_is_taken_as_it_is() -> None:
    image, face = _drawn((226, 174, 134), (112, 70, 42))
    bright, dim = (COLOUR.embed(image, face), COLOUR.embed(image // 2, face))
    assert dim[0] < bright[0] and dim[3] < bright[3]


def test_a_face_at_the_edge_has_colours_and_landmarks_that_are_no_numbers_have_none() -> None:
    image, face = _drawn((226, 174, 134), (112, 70, 42))
    assert np.isfinite(COLOUR.embed(image[18:], face.moved(0, -18))).all()
    nowhere = Face(face.box, 0.9, np.full((5, 2), np.nan, np.float32))
    assert np.isnan(COLOUR.embed(image, nowhere)).all()
    assert COLOUR.detect(image) == []
    assert COLOUR.describe()["digest"] == COLOUR.digest and COLOUR.width == 6


def test_it_names_many_drawn_people_by_their_colours() -> None:
    """Chance is 1 of 21."""

    def seen(seed: int, rng: np.random.Generator) -> np.ndarray:
        frame = photograph(person(seed), rng, 64)
        face = Face(frame.box, 1.0, frame.landmarks)
        return unit(COLOUR.embed(frame.image, face))

    rng = np.random.default_rng(5)
    people = range(10_000, 10_021)
    gallery = np.stack([unit(np.mean([seen(s, rng) for _ in range(5)], 0)) for s in people])
    probes = np.stack([unit(np.mean([seen(s, rng) for _ in range(3)], 0)) for s in people])
    assert ((probes @ gallery.T).argmax(1) == np.arange(21)).sum() >= 8
