"""Camera shake: hand-held is told from still and from panned, and flat pictures say nothing."""

import cv2
import numpy as np

from mm_model.media.shake import ShakeMeter


def scenery(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    return cv2.resize(coarse, (360, 240), interpolation=cv2.INTER_CUBIC)


def jitter(offsets: np.ndarray, seed: int = 1) -> float | None:
    """Of a view 160 by 120 that lies at `offsets` [T, 2] in the scenery."""
    meter, wide = ShakeMeter(), scenery(seed)
    for x, y in np.round(offsets).astype(int):
        meter.add(wide[y : y + 120, x : x + 160])
    return meter.jitter


def test_a_shaking_hand_is_told_from_a_still_and_from_a_panned_camera() -> None:
    for seed in range(5):
        time = np.arange(25)[:, None]
        hand = np.random.default_rng(seed).normal(0, 2.4, (25, 2))  # 1.5 percent of the width
        still = np.full((25, 2), 60.0)
        panned = 20 + time * np.array([4.0, 1.0])
        assert jitter(still, seed) < 0.05
        assert jitter(panned, seed) < 0.3
        assert 1.5 < jitter(still + hand, seed) < 6
        assert 1.5 < jitter(panned + hand, seed) < 6


def test_shake_grows_with_the_hand_s() -> None:
    hand = np.random.default_rng(3).normal(0, 1, (25, 2))
    slight, strong = (jitter(60 + hand * size) for size in (1, 4))
    assert slight * 2 < strong


def test_nothing_is_said_of_flat_or_few_frames() -> None:
    meter = ShakeMeter()
    for _ in range(12):
        meter.add(np.full((120, 160, 3), 90, np.uint8))
    assert meter.jitter is None
    assert jitter(np.full((4, 2), 60.0)) is None
    assert jitter(np.full((5, 2), 60.0)) < 0.001
