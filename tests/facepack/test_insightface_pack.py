"""InsightFace packs through the port: the shipped one and a real one, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mm_model.errors import UserError
from mm_model.facepack.port import FacePack, open_pack, unit
from mm_model.settings import load_profile

pytestmark = pytest.mark.capability("InsightFace packs", scale="T")


@pytest.fixture(scope="module")
def size(root: Path) -> int:
    return load_profile(root, "tiny").faces.detection_size


@pytest.fixture(scope="module")
def pack(tiny_facepack: Path, size: int) -> FacePack:
    return open_pack(tiny_facepack, size, threads=1)


def _portraits(number: int, size: int, person_seed: int = 50_003) -> list:
    from mm_model.embedded.people.clips import photograph
    from mm_model.embedded.people.people import person

    return [photograph(person(person_seed), np.random.default_rng(i), size) for i in range(number)]


@pytest.mark.parametrize("side", [64, 128, 400])
def test_a_face_is_found_where_it_is_whatever_the_size(pack: FacePack, side: int) -> None:
    """Small pictures are enlarged to the detector's input, large ones reduced."""
    for frame in _portraits(3, side):
        faces = pack.detect(frame.image)
        assert faces
        eyes = faces[0].landmarks[:2]
        assert eyes[0, 0] < eyes[1, 0]
        assert np.abs(eyes - frame.landmarks[:2]).max() < 0.08 * side


def test_the_width_is_read_and_embeddings_are_reproducible(pack: FacePack) -> None:
    image = _portraits(1, 128)[0].image
    found = pack.detect(image)[0]
    first, second = pack.embed(image, found), pack.embed(image.copy(), found)
    assert first.shape == (pack.width,)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


def test_colours_are_rgb(pack: FacePack) -> None:
    """With channels swapped the recogniser sees another picture."""
    image = _portraits(1, 128)[0].image
    found = pack.detect(image)[0]
    swapped = np.ascontiguousarray(image[..., ::-1])
    as_is = unit(pack.embed(image, found)) @ unit(pack.embed(swapped, found))
    assert as_is < 0.999


def test_the_record_names_weights_and_size(pack: FacePack, size: int) -> None:
    said = pack.describe()
    assert json.loads(json.dumps(said)) == said
    assert said["detection_size"] == size
    assert len(said["files"]) == 2
    assert said["digest"] == pack.digest


def test_an_absent_pack_is_a_sentence_and_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no face pack"):
        open_pack(tmp_path / "buffalo_l", 640)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_does_not_fit_the_strides_is_refused(tiny_facepack: Path) -> None:
    with pytest.raises(UserError, match="multiple of 32"):
        open_pack(tiny_facepack, 100)


def _without(source: Path, target: Path, word: str) -> Path:
    for path in source.glob("*.onnx"):
        if word not in path.name:
            shutil.copy(path, target / path.name)
    return target


def test_a_pack_without_its_recogniser_is_refused(
    tiny_facepack: Path, tmp_path: Path, size: int
) -> None:
    with pytest.raises(UserError, match="no recognition model"):
        open_pack(_without(tiny_facepack, tmp_path, "recog"), size)


def test_a_pack_without_its_detector_is_refused(
    tiny_facepack: Path, tmp_path: Path, size: int
) -> None:
    with pytest.raises(UserError, match="no face detector"):
        open_pack(_without(tiny_facepack, tmp_path, "detect"), size)


def test_a_damaged_file_is_refused(tiny_facepack: Path, tmp_path: Path, size: int) -> None:
    place = _without(tiny_facepack, tmp_path, "nothing")
    victim = next(place.glob("*recog*.onnx"))
    victim.write_bytes(b"not a network at all")
    with pytest.raises(UserError, match=r"recog.*fetch the face pack again"):
        open_pack(place, size)


def test_a_file_that_differs_from_the_manifest_is_refused(
    tiny_facepack: Path, tmp_path: Path, size: int
) -> None:
    place = _without(tiny_facepack, tmp_path, "nothing")
    name = next(place.glob("*recog*.onnx")).name
    (place / "manifest.json").write_text(json.dumps({"files": {name: {"sha256": "0" * 64}}}))
    with pytest.raises(UserError, match="differs from the digest"):
        open_pack(place, size)


def test_the_shipped_pack_is_held_to_the_manifest_at_its_root(
    tiny_facepack: Path, tmp_path: Path, size: int
) -> None:
    listed = json.loads((tiny_facepack.parent.parent / "manifest.json").read_text())
    place = tmp_path / "models" / "tiny"
    shutil.copytree(tiny_facepack, place)
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    assert open_pack(place, size).width > 0
    key = next(name for name in listed["files_sha256"] if name.endswith("tiny/detector.onnx"))
    listed["files_sha256"][key] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(UserError, match=r"detector.*differs from the digest"):
        open_pack(place, size)


def test_weights_in_a_second_file_are_refused(
    tiny_facepack: Path, tmp_path: Path, size: int
) -> None:
    import onnx

    place = _without(tiny_facepack, tmp_path, "recog")
    source = next(tiny_facepack.glob("*recog*.onnx"))
    onnx.save(
        onnx.load(str(source)),
        str(place / source.name),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(UserError, match="second file"):
        open_pack(place, size)


def test_every_session_keeps_the_thread_bound(tiny_facepack: Path, size: int) -> None:
    pack = open_pack(tiny_facepack, size, threads=2)
    sessions = [*pack._detector.resolution_sessions.values(), pack._recognizer.session]
    assert {s.get_session_options().intra_op_num_threads for s in sessions} == {2}
    assert {tuple(s.get_providers()) for s in sessions} == {("CPUExecutionProvider",)}
    assert list(pack._detector.input_sizes) == [(size, size)]


@pytest.mark.capability("InsightFace packs", scale="R")
def test_a_real_pack_has_its_own_width_and_fixed_size(real_facepack: Path) -> None:
    pack = open_pack(real_facepack, 640)
    assert pack.width == 128
    with pytest.raises(UserError, match="640"):
        open_pack(real_facepack, 320)


def test_another_input_size_is_one_look_and_changes_no_later_one(pack: FacePack) -> None:
    image = _portraits(1, 400)[0].image
    before = pack.detect(image)
    small = pack.detect(image, 0.1, size=64)
    assert small and abs(small[0].landmarks - before[0].landmarks).max() < 0.08 * 400
    assert small[0].score != before[0].score
    assert [face.score for face in pack.detect(image)] == [face.score for face in before]


def test_a_detector_of_one_size_has_no_cheap_look(real_facepack: Path) -> None:
    with pytest.raises(UserError, match=r"640 pixels only.*faces\.prescreen_size"):
        open_pack(real_facepack, 640).detect(np.zeros((64, 64, 3), np.uint8), 0.5, size=160)


def test_a_zero_or_infinite_vector_has_no_direction() -> None:
    for dead in (np.zeros(4), np.array([1, np.inf, 0, 0]), np.array([np.nan, 1, 0, 0])):
        assert np.isnan(unit(dead)).all()
    np.testing.assert_allclose(unit(np.array([3.0, 4.0])), [0.6, 0.8], rtol=1e-6)
