"""What is asked to be unknowable is no picture of anybody: every place that hands pictures out."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mm_model.card.album import Album
from mm_model.settings import load_profile
from tests.card.small import layout_at


def _seen(uri: str | None) -> np.ndarray:
    assert uri is not None
    content = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_GRAYSCALE).astype(float)


@pytest.mark.parametrize("boxes", [None, [[8, 8, 40, 40], [60, 60, 90, 90]]])
def test_every_face_of_a_blurred_album_is_washed_out(
    root: Path, tmp_path: Path, boxes: list[list[float]] | None
) -> None:
    picture = np.kron(np.indices((25, 25)).sum(0) % 2, np.ones((4, 4)))[..., None] * 255
    image = np.repeat(picture, 3, -1).astype(np.uint8)
    layout, profile, outputs = layout_at(root, tmp_path / "tree"), load_profile(root, "tiny"), {}
    found: dict[bool, Any] = {
        blur: _seen(Album(layout, outputs, profile, blur)._kept(image, boxes).uri)
        for blur in (False, True)
    }
    for x1, y1, x2, y2 in boxes or [[0, 0, 100, 100]]:
        part = np.s_[int(y1) : int(y2), int(x1) : int(x2)]
        assert found[False][part].std() > 80
        assert found[True][part].std() < 25
