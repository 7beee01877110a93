"""A moved picture is told from a face that changes."""

import cv2
import numpy as np
import pytest

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.metrics.deformation import deformation

pytestmark = pytest.mark.capability("metrics and controls", scale="T")

SIZE, FRAMES, FPS = 96, 9, 8
BOX = np.array([24, 16, 72, 84], float)


def _picture(seed: int = 50_003) -> np.ndarray:
    return photograph(person(seed), np.random.default_rng(seed), SIZE).image


def _moved(picture: np.ndarray, mend: bool) -> tuple[np.ndarray, np.ndarray]:
    """Leant, grown and slid; `mend`: the mouth is painted anew in each frame before."""
    frames, boxes = [], []
    for t in range(FRAMES):
        drawn = picture.copy()
        if mend:
            cv2.ellipse(drawn, (48, 66), (8, 1 + t), 0, 0, 360, (60, 10, 20), -1)
        way = cv2.getRotationMatrix2D((48, 48), 3.0 * t, 1 + 0.03 * t)
        way[:, 2] += [t, -t / 2]
        frames.append(cv2.warpAffine(drawn, way, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
        boxes.append(BOX + np.tile([t, -t / 2], 2))
    return np.stack(frames), np.stack(boxes)


def test_a_picture_that_is_moved_about_does_not_change() -> None:
    still, changed = (deformation(*_moved(_picture(), mend), FPS) for mend in (False, True))
    assert still is not None and changed is not None
    assert still < 0.01 < changed and 2 * still < changed


def test_a_still_clip_is_zero_and_one_without_a_face_or_of_one_brightness_has_no_figure() -> None:
    frames = np.repeat(_picture()[None], FRAMES, 0)
    boxes = np.repeat(BOX[None], FRAMES, 0)
    assert deformation(frames, boxes, FPS) == pytest.approx(0, abs=1e-4)
    assert deformation(frames, np.full((FRAMES, 4), np.nan), FPS) is None
    assert deformation(frames[:2], boxes[:2], FPS) is None, "no two frames a quarter second apart"
    assert deformation(np.full_like(frames, 90), boxes, FPS) is None


def test_what_stands_still_from_the_middle_on_is_nearly_still() -> None:
    frames, boxes = _moved(_picture(), True)
    whole = deformation(frames, boxes, FPS)
    frames[5:], boxes[5:] = frames[4], boxes[4]
    half = deformation(frames, boxes, FPS)
    assert whole is not None and half is not None and half < 0.3 * whole
