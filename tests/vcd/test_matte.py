"""The matte of persons; the package that runs it is an extra, so a stand-in says what it says."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_model.errors import UserError
from mm_model.vcd.masks import NoMask
from mm_model.vcd.matte import PersonMatte

pytestmark = pytest.mark.capability("prompt-to-segmentation", scale="T")


class Bright:
    """A network that says of a pixel how bright it is, on a square of eight."""

    shape: tuple[int, ...] = (1, 8, 8, 1)

    def __init__(self, model_path: str, num_threads: int) -> None:
        if Path(model_path).read_bytes() != b"network":
            raise ValueError("Model provided has model identifier 'xxxx'")

    def allocate_tensors(self) -> None: ...

    def invoke(self) -> None: ...

    def get_input_details(self) -> list[Any]:
        return [{"index": 0, "shape": np.array((1, 8, 8, 3)), "dtype": np.float32}]

    def get_output_details(self) -> list[Any]:
        return [{"index": 1, "shape": np.array(self.shape), "dtype": np.float32}]

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        assert index == 0 and value.dtype == np.float32 and value.max() <= 1
        self.seen = value

    def get_tensor(self, index: int) -> np.ndarray:
        return self.seen.mean(axis=3, keepdims=True)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = SimpleNamespace(Interpreter=Bright)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", SimpleNamespace(interpreter=runtime))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", runtime)
    path = tmp_path / "selfie.tflite"
    path.write_bytes(b"network")
    return path


def test_a_mask_lies_where_the_network_says_in_the_picture_s_own_size(file: Path) -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    found = PersonMatte(file).mask(Path("0.png"), pixels)
    assert found.shape == (32, 64) and found[:, 36:].all() and not found[:, :28].any()
    with pytest.raises(NoMask, match="no person is found"):
        PersonMatte(file).mask(Path("0.png"), np.zeros((32, 64, 3), np.uint8))


def test_what_is_no_such_network_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bright, "shape", (1, 1000))
    with pytest.raises(UserError, match="another thing than a picture"):
        PersonMatte(file)
    file.write_bytes(b"xxxx")
    with pytest.raises(UserError, match="cannot be opened"):
        PersonMatte(file)
    with pytest.raises(UserError, match="is no file"):
        PersonMatte(file.with_name("none"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="'make matte' installs it"):
        PersonMatte(file)
