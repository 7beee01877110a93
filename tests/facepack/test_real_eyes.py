"""Rules on faces with a real detector: bystanders in photographs, heads in varied pictures."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import FacePack, open_pack, unit
from mm_model.faces.pictures import Pictures
from mm_model.media.images import load_image
from mm_model.pairs.augment import vary

pytestmark = pytest.mark.capability("InsightFace packs", scale="R")

RULES = SimpleNamespace(
    detection_above=0.5, padded_detection_above=0.65, pads=(0.1, 0.25), bystander_below=0.25
)


@pytest.fixture(scope="module")
def pack(real_facepack: Path) -> FacePack:
    return open_pack(real_facepack, 640)


def _picture(path: Path) -> np.ndarray:
    media = "image" if path.suffix == ".jpg" else "clip"
    return next(image for _, image in Pictures(path, media, 1, 1, 1).at([0]))


def _joined(pack: FacePack, main: Path, other: Path, side: float) -> np.ndarray:
    """`main`, a still or a clip's first frame, with the head of `other` in a corner, its face
    `side` pixels.
    """
    picture, second = _picture(main).copy(), load_image(other)
    face = pack.detect(second)[0]
    x, y = ((face.box[:2] + face.box[2:]) / 2).astype(int)
    reach = int(face.short_side)
    head = second[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    scale = side / face.short_side
    head = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture[5 : 5 + head.shape[0], 5 : 5 + head.shape[1]] = head
    return picture


@pytest.mark.parametrize(
    ("main", "side", "counted", "bystanders"),
    [
        ("driving_d8.jpg", 30, 1, 1),
        ("source_s10.jpg", 45, 1, 1),
        ("source_s5.jpg", 30, 1, 1),
        ("source_s9.jpg", 80, 2, 0),
        ("driving_d3.mp4", 30, 1, 1),
        ("driving_d3.mp4", 46, 1, 1),
    ],
)
def test_a_portrait_is_not_lost_to_a_face_far_behind(
    pack: FacePack, real_media: Path, main: str, side: float, counted: int, bystanders: int
) -> None:
    picture = _joined(pack, real_media / main, real_media / "source_s3.jpg", side)
    sighting = chosen_faces(pack, picture, RULES)
    assert (len(sighting.faces), len(sighting.bystanders)) == (counted, bystanders)
    assert max(found.short_side for found in sighting.faces) > 130


@pytest.mark.parametrize(
    "name",
    ["driving_d3.mp4", "driving_d13.mp4", "driving_d12.mp4", "source_s0.jpg", "source_s12.jpg"],
)
def test_a_varied_picture_shows_one_head_and_the_same_person(
    pack: FacePack, real_media: Path, name: str
) -> None:
    """Tight head-shots, a narrow clip and ordinary portraits: none is doubled at its edge."""
    picture = _picture(real_media / name)
    (face,) = chosen_faces(pack, picture, RULES).faces
    own = unit(pack.embed(picture, face))
    for seed in (0, 1):
        varied = vary(picture, face.box, np.random.default_rng(seed))
        (found,) = chosen_faces(pack, varied, RULES).faces
        assert own @ unit(pack.embed(varied, found)) > 0.8
