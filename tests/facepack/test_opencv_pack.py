"""The OpenCV adapter on hand-made networks of YuNet's and SFace's shape: red squares are faces."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mm_model.errors import UserError
from mm_model.facepack.port import open_pack

pytestmark = pytest.mark.capability("OpenCV packs", scale="T")

onnx = pytest.importorskip("onnx")

SIDE = 4.0  # strides: the networks call every red cell of 8 pixels a face of 32 pixels
POINTS = np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]], np.float32)


def _initial(name: str, value: np.ndarray) -> object:
    return onnx.numpy_helper.from_array(np.asarray(value), name)


def _saved(path: Path, nodes: list, outputs: dict[str, list], shape: list, values: list) -> None:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, form) for n, form in outputs.items()],
        values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def _yunet(path: Path, side: int) -> None:
    """Score: how much more red than green and blue a cell is (input is BGR, 0 to 255)."""
    from onnx import helper

    weight = np.array([-1, -1, 1], np.float32).reshape(1, 3, 1, 1) / 255
    bbox = np.array([0.5, 0.5, np.log(SIDE), np.log(SIDE)], np.float32).reshape(1, 1, 4)
    values = [
        _initial("weight", weight),
        _initial("bbox", bbox),
        _initial("kps", (POINTS + 0.5).reshape(1, 1, 10)),
        _initial("flat", np.array([1, -1, 1], np.int64)),
    ]
    nodes = [
        helper.make_node("Conv", ["input", "weight"], ["red"]),
        helper.make_node("Relu", ["red"], ["positive"]),
    ]
    lengths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    outputs: dict[str, list] = {name: [] for name in lengths}
    for stride in (8, 16, 32):
        values.append(_initial(f"use_{stride}", np.float32(1.0 if stride == 8 else 0.0)))
        values += [_initial(f"none{n}_{stride}", np.zeros((1, 1, n), np.float32)) for n in (4, 10)]
        nodes += [
            helper.make_node(
                "AveragePool",
                ["positive"],
                [f"cell_{stride}"],
                kernel_shape=[stride] * 2,
                strides=[stride] * 2,
            ),
            helper.make_node("Reshape", [f"cell_{stride}", "flat"], [f"row_{stride}"]),
            helper.make_node("Mul", [f"row_{stride}", f"use_{stride}"], [f"cls_{stride}"]),
            helper.make_node("Mul", [f"row_{stride}", f"use_{stride}"], [f"obj_{stride}"]),
            helper.make_node("Mul", [f"row_{stride}", f"none4_{stride}"], [f"zero4_{stride}"]),
            helper.make_node("Add", [f"zero4_{stride}", "bbox"], [f"bbox_{stride}"]),
            helper.make_node("Mul", [f"row_{stride}", f"none10_{stride}"], [f"zero10_{stride}"]),
            helper.make_node("Add", [f"zero10_{stride}", "kps"], [f"kps_{stride}"]),
        ]
        for name, members in outputs.items():
            members.append((f"{name}_{stride}", [1, (side // stride) ** 2, lengths[name]]))
    order = {name: form for members in outputs.values() for name, form in members}
    _saved(path, nodes, order, [1, 3, side, side], values)


def _sface(path: Path) -> None:
    """Embedding: the mean colour twice, R, G, B, R, G, B (input is RGB)."""
    from onnx import helper

    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("Concat", ["colour", "colour"], ["fc1"], axis=1),
    ]
    _saved(path, nodes, {"fc1": [1, 6]}, [1, 3, 112, 112], [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("opencv")
    _yunet(place / "face_detection_yunet_made.onnx", 160)
    _sface(place / "face_recognition_sface_made.onnx")
    return place


def _picture() -> np.ndarray:
    """A red cell at x 32, y 16 and a green one, in a picture of 80 by 40 pixels."""
    image = np.zeros((40, 80, 3), np.uint8)
    image[16:20, 32:36] = (255, 0, 0)
    image[16:20, 56:60] = (0, 255, 0)
    return image


def test_a_face_is_found_in_pixels_of_the_small_picture(folder: Path) -> None:
    """The picture is enlarged to the input (x 2); red is red, so the colour order is right."""
    faces = open_pack(folder, 160).detect(_picture(), 0.5)
    assert len(faces) == 1
    x, y = faces[0].landmarks[2]
    np.testing.assert_allclose([x, y], [34, 18], atol=0.6)
    np.testing.assert_allclose(faces[0].box, [26, 10, 42, 26], atol=0.6)
    np.testing.assert_allclose(faces[0].landmarks - faces[0].landmarks[2], POINTS * 4, atol=0.1)
    assert faces[0].score > 0.8


def test_another_size_is_for_one_look(folder: Path) -> None:
    """A cell is eight pixels of the input, so that a box is half as large at twice the size."""
    pack = open_pack(folder, 160)
    before = pack.detect(_picture(), 0.5)[0]
    (other,) = pack.detect(_picture(), 0.5, size=320)
    assert other.short_side == pytest.approx(before.short_side / 2, abs=0.1)
    np.testing.assert_allclose(other.landmarks[2], [33, 17], atol=0.6)
    assert pack.detect(_picture(), 0.5)[0].box.tolist() == before.box.tolist()


def test_the_threshold_is_kept(folder: Path) -> None:
    dim = (_picture() * 0.5).astype(np.uint8)
    pack = open_pack(folder, 160)
    assert pack.detect(dim, 0.6) == []
    assert len(pack.detect(dim, 0.3)) == 1


def test_threads_see_each_its_own_picture_at_its_own_threshold(folder: Path) -> None:
    pack = open_pack(folder, 160)
    dim = (_picture() * 0.5).astype(np.uint8)
    asked = [(_picture(), 0.5), (dim, 0.3), (dim, 0.6), (np.flip(_picture(), 1).copy(), 0.3)] * 20

    def look(one: tuple[np.ndarray, float]) -> list[list[float]]:
        faces = pack.detect(*one)
        return [[*face.box, *pack.embed(one[0], face)] for face in faces]

    alone = [look(one) for one in asked]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(look, asked)) == alone


def test_the_embedding_sees_rgb_and_its_width_is_read(folder: Path) -> None:
    pack = open_pack(folder, 160)
    assert pack.width == 6
    found = pack.detect(_picture(), 0.5)[0]
    vector = pack.embed(np.full((40, 80, 3), (200, 100, 50), np.uint8), found)
    assert vector.dtype == np.float32
    assert vector[0] > vector[1] > vector[2] > 0


def test_the_record_names_both_files(folder: Path) -> None:
    said = open_pack(folder, 160).describe()
    assert said["adapter"] == "opencv"
    assert len(said["files"]) == 2
    assert said["detection_size"] == 160


def test_half_a_pack_is_refused(folder: Path, tmp_path: Path) -> None:
    content = (folder / "face_detection_yunet_made.onnx").read_bytes()
    (tmp_path / "face_detection_yunet_made.onnx").write_bytes(content)
    with pytest.raises(UserError, match="sface"):
        open_pack(tmp_path, 160)


def test_a_broken_file_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.onnx"):
        (tmp_path / path.name).write_bytes(b"nonsense")
    with pytest.raises(UserError, match="fetch its two files again"):
        open_pack(tmp_path, 160)
