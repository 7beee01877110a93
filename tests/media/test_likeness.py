"""The perceptual hash and the search for copies: copies are found, other pictures are not."""

import io
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from mm_model.ingest.alike import Twin, pairs_within, twins
from mm_model.media.likeness import LikenessMeter

WITHIN = 4


def scenery(seed: int, size: int = 128) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (7, 7, 3), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def take(seed: int, number: int = 17, start: int = 0) -> list[np.ndarray]:
    """A person-sized patch that wanders before one still scene, as in one long take."""
    behind, patch = scenery(seed), scenery(seed + 500, 48)
    frames = []
    for moment in range(start, start + number):
        frame = behind.copy()
        x, y = 40 + int(8 * np.sin(moment / 5)), 40 + int(6 * np.cos(moment / 7))
        frame[y : y + 48, x : x + 48] = patch
        frames.append(frame)
    return frames


def photograph(picture: np.ndarray) -> str:
    meter = LikenessMeter()
    meter.add(np.ascontiguousarray(picture))
    assert meter.photograph
    return meter.photograph


def clip(frames: list[np.ndarray]) -> str:
    meter = LikenessMeter()
    for frame in frames:
        meter.add(frame)
    assert meter.clip
    return meter.clip


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("change", "mirrored"),
    [
        (lambda p: jpeg(p, 30), False),
        (lambda p: resized(p, 0.5), False),
        (lambda p: resized(p, 2), False),
        (lambda p: (p * 0.7).astype(np.uint8), False),
        (lambda p: p[:, ::-1], True),
    ],
)
def test_copies_of_a_picture_are_found_and_a_mirror_is_told(
    change: Callable, mirrored: bool
) -> None:
    for seed in range(8):
        picture = scenery(seed)
        _, twin = twins([photograph(picture), photograph(change(picture))], WITHIN)
        assert twin is not None and (twin.place, twin.mirrored) == (0, mirrored)


def test_other_pictures_are_left_alone() -> None:
    hashes = [photograph(scenery(seed)) for seed in range(200)]
    assert twins(hashes, WITHIN) == [None] * 200


def test_a_smaller_clip_is_a_copy_and_another_course_before_the_same_scene_is_none() -> None:
    """Parts of one long take look alike; what happens in them tells them apart."""
    for seed in range(8):
        frames = take(seed)
        smaller = [jpeg(resized(frame, 0.5), 40) for frame in frames]
        hashes = [clip(frames), clip(smaller), clip(frames[::-1])]
        none, copy, other = twins(hashes, WITHIN)
        assert none is other is None and copy is not None and copy.place == 0
        assert hashes[0][:16] == hashes[2][:16], "their looks alone are the same"


def test_a_picture_of_one_colour_has_no_hash() -> None:
    meter = LikenessMeter()
    meter.add(np.full((64, 64, 3), 90, np.uint8))
    assert meter.photograph is meter.clip is None


def test_everyone_stays_who_is_near_nobody_that_stays() -> None:
    """A chain of neighbours does not fall as a whole for its first."""
    chain = [f"{(1 << 3 * step) - 1:016x}" for step in range(4)]
    found = twins([*chain, chain[2]], 3)
    first, second = Twin(0, 3, False), Twin(2, 3, False)
    assert found == [None, first, None, second, Twin(2, 0, False)]


@pytest.mark.parametrize("within", [0, 1, 3, 4, 6])
def test_no_pair_within_the_bound_is_missed(within: int) -> None:
    draws = np.random.default_rng(within)
    hashes = draws.integers(0, 2**64, 400, dtype=np.uint64)
    hashes[200:] = hashes[:200]
    for place in range(200, 400):
        for bit in draws.choice(64, draws.integers(0, 9), replace=False):
            hashes[place] ^= np.uint64(1 << int(bit))
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None])
    wanted = {(int(a), int(b)) for a, b in zip(*np.nonzero(bits <= within), strict=True) if a < b}
    assert len(wanted) > 10
    assert (
        set(zip(*(side.tolist() for side in pairs_within(hashes, within)), strict=True)) == wanted
    )


def test_a_million_hashes_are_searched_in_seconds() -> None:
    draws = np.random.default_rng(1)
    hashes = draws.integers(0, 2**64, 1_000_000, dtype=np.uint64)
    near = hashes[:1000].copy()
    for place in range(1000):
        for bit in draws.choice(64, place % (WITHIN + 1), replace=False):
            near[place] ^= np.uint64(1 << int(bit))
    began = time.process_time()
    first, second = pairs_within(np.concatenate([hashes, near]), WITHIN)
    seconds = time.process_time() - began
    assert {(place, 1_000_000 + place) for place in range(1000)} <= set(
        zip(first.tolist(), second.tolist(), strict=True)
    )
    assert seconds < 30, "2 s where it was measured; all pairs would take hours"
