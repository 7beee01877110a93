"""Age and gender from a pack's own model: a made one of InsightFace's layout, beside its code."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mm_model.errors import UserError
from mm_model.facepack.genderage import NAME
from mm_model.facepack.port import Face, FacePack, attributes_of, open_pack

pytestmark = pytest.mark.capability("InsightFace packs", scale="T")


def made(place: Path, seed: int, age: float = 0.3, named: bool = False) -> Path:
    """A network of genderage's layout with random weights: float32 [n, 3, 96, 96] to [n, 3].

    `named` scales pixels inside, as the networks of InsightFace's own packs do.
    """
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.02, (3, 3 * 24 * 24)).astype(np.float32)
    weights[2] *= 0.05
    held = {"w": weights, "b": np.array([0, 0, age], np.float32)}
    nodes, entry = [], "data"
    if named:
        held |= {"mean": np.array(127.5, np.float32), "scale": np.array(1 / 128, np.float32)}
        nodes = [
            helper.make_node("Sub", ["data", "mean"], ["less"], name="_minusscalar0"),
            helper.make_node("Mul", ["less", "scale"], ["scaled"], name="_mulscalar0"),
        ]
        entry = "scaled"
    nodes += [
        helper.make_node("AveragePool", [entry], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["fc1"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "genderage",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, 96, 96])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [None, 3])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(place / NAME))
    return place


@pytest.fixture
def folder(tiny_facepack: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_facepack, tmp_path / "models" / "aged")


def _picture(person_seed: int) -> np.ndarray:
    from mm_model.embedded.people.clips import photograph
    from mm_model.embedded.people.people import person

    return photograph(person(person_seed), np.random.default_rng(1), 160).image


@pytest.mark.parametrize("named", [False, True])
def test_estimates_are_those_of_insightface_before_it_rounds(folder: Path, named: bool) -> None:
    from insightface.app import FaceAnalysis

    made(folder, seed=4, named=named)
    pack = open_pack(folder, 128)
    attributes = attributes_of(pack)
    assert attributes is not None
    theirs = FaceAnalysis(name=str(folder), providers=["CPUExecutionProvider"])
    theirs.prepare(0, det_size=(128, 128))
    seen = set()
    for number in range(6):
        picture = _picture(60_000 + number)
        (face, *_) = pack.detect(picture)
        (known, *_) = theirs.get(np.ascontiguousarray(picture[..., ::-1]))
        age, female = attributes.of(picture, face)
        assert round(age) == known.age
        assert ("F" if female > 0.5 else "M") == known.sex
        assert 0 < female < 1
        seen.add(age)
    assert len(seen) == 6, "each picture has its own estimate"


def test_a_face_in_a_large_picture_is_estimated_alike(folder: Path) -> None:
    pack = open_pack(made(folder, seed=4), 128)
    attributes = attributes_of(pack)
    assert attributes is not None
    picture = _picture(60_001)
    (face, *_) = pack.detect(picture)
    wide = np.zeros((400, 5000, 3), np.uint8)
    wide[100:260, 4000:4160] = picture
    alone = np.zeros((480, 480, 3), np.uint8)
    alone[160:320, 160:320] = picture
    moved = attributes.of(wide, face.moved(4000, 100))
    np.testing.assert_allclose(moved, attributes.of(alone, face.moved(160, 160)), rtol=1e-3)


def test_the_weights_of_embeddings_stay_what_they_were(folder: Path) -> None:
    """Cosines are comparable with and without the model; what was measured is told apart."""
    before = open_pack(folder, 128)
    assert attributes_of(before) is None and before.describe()["genderage"] is None
    first, second = (open_pack(made(folder, seed), 128) for seed in (1, 2))
    assert first.digest == second.digest == before.digest
    assert _digest(first) != _digest(second)
    assert list(first.describe()["genderage"]) == [NAME]


def _digest(pack: FacePack) -> str:
    attributes = attributes_of(pack)
    assert attributes is not None
    return attributes.digest


def test_a_model_that_differs_from_the_manifest_is_refused(folder: Path) -> None:
    made(folder, seed=1)
    (folder / "manifest.json").write_text('{"files": {"genderage.onnx": {"sha256": "00"}}}')
    with pytest.raises(UserError, match=r"genderage\.onnx differs from the digest"):
        open_pack(folder, 128)


def test_the_estimate_keeps_the_thread_bound(folder: Path) -> None:
    attributes = attributes_of(open_pack(made(folder, seed=1), 128, threads=2))
    assert attributes is not None
    assert attributes.session.get_session_options().intra_op_num_threads == 2


def test_a_face_that_reaches_beyond_the_picture_has_an_estimate(folder: Path) -> None:
    attributes = attributes_of(open_pack(made(folder, seed=1), 128))
    assert attributes is not None
    points = np.array([[10, 20], [50, 20], [30, 40], [15, 60], [45, 60]], np.float32)
    face = Face(np.array([-20, -30, 80, 90], np.float32), 0.9, points)
    age, female = attributes.of(_picture(3), face)
    assert np.isfinite(age) and 0 <= female <= 1
