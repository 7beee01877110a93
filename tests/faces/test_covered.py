"""Covered faces: what the measure says of drawn people with something before the face."""

import numpy as np
import pytest

from benchmarks import occlusion as bench
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.port import Face
from mm_model.faces.covered import occlusion

pytestmark = pytest.mark.capability("face filters", scale="T")


def _drawn(seed: int) -> tuple[np.ndarray, Face]:
    frame = photograph(person(70_000 + seed), np.random.default_rng(seed), 160)
    points = np.asarray(frame.landmarks, np.float32)
    return frame.image, Face(np.array([40, 40, 120, 120], np.float32), 1.0, points)


def test_a_mask_is_told_from_a_whole_face() -> None:
    people = [_drawn(seed) for seed in range(20)]
    whole = np.array([occlusion(*one) for one in people])
    masked = np.array(
        [
            occlusion(
                bench.COVERS["mask"](image, bench.ground(face), np.random.default_rng(n)), face
            )
            for n, (image, face) in enumerate(people)
        ]
    )
    assert ((whole >= 0) & (whole <= 1)).all()
    assert bench.area(-whole, -masked) > 0.95


def test_a_patch_without_relief_is_wholly_covered_and_size_does_not_matter() -> None:
    image, face = _drawn(3)
    flat = np.full_like(image, 120)
    assert occlusion(flat, face) == pytest.approx(1.0)
    large = image.repeat(3, axis=0).repeat(3, axis=1)
    assert occlusion(large, face.enlarged(3)) == pytest.approx(occlusion(image, face), abs=0.08)


def test_landmarks_in_one_place_say_nothing() -> None:
    image, face = _drawn(3)
    nowhere = Face(face.box, 1.0, np.full((5, 2), 50, np.float32))
    assert np.isnan(occlusion(image, nowhere))


def test_every_cover_changes_the_face_and_nothing_else() -> None:
    image, face = _drawn(5)
    for name, cover in bench.COVERS.items():
        hidden = cover(image, bench.ground(face), np.random.default_rng(1))
        changed = (hidden != image).any(-1)
        assert 0.02 < changed.mean() < 0.6, name
        assert not changed[:8].any() or name in ("hair", "half"), name


def test_the_area_is_that_of_pairs() -> None:
    assert bench.area(np.array([1.0, 2.0]), np.array([0.0, 1.0])) == pytest.approx(7 / 8)
