"""A pass of each network in a child: arithmetic that kills its process is one failure by name."""

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mm_model.nn.identity.face_recognizer import FaceRecognizer, ThinningConv2d
from tests.nn.networks import Watch, networks, outcome

# What the processor offers, and the older kernels that every x86 processor of ten years runs.
INSTRUCTIONS = ["DEFAULT", pytest.param("AVX2", marks=pytest.mark.slow)]


@functools.cache
def outcomes(root: Path, instructions: str) -> dict[str, str]:
    """What became of each network; one process pays for the imports of all."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.nn.networks"],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": instructions, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {**json.loads(done.stdout), "log": done.stderr}


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
@pytest.mark.parametrize("name", networks())
def test_one_pass_forward_and_backward(root: Path, name: str, instructions: str) -> None:
    said = outcomes(root, os.environ.get("ONEDNN_MAX_CPU_ISA", instructions))
    assert said[name] == "passed", said["log"][-3000:]


def test_a_network_that_dies_is_named_by_its_signal() -> None:
    def dies() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fails() -> None:
        raise ValueError("no")

    assert [outcome(work) for work in (dies, fails, lambda: None)] == [
        "SIGKILL",
        "raised",
        "passed",
    ]


@pytest.mark.parametrize("channels", [3, 8, 16, 24])
@pytest.mark.parametrize("where", ["pixels", "weights", "both", "neither"])
def test_thinning_gives_the_sums_of_a_strided_convolution(channels: int, where: str) -> None:
    """Against float64 sums of torch's own, with an odd and an even side."""
    last = torch.channels_last
    ours = ThinningConv2d(channels, 8, 2)
    theirs = torch.nn.Conv2d(channels, 8, 1, stride=2, bias=False).double()
    theirs.load_state_dict({"weight": ours.weight.double()})
    if where in ("weights", "both"):
        ours = ours.to(memory_format=last)
    x = torch.randn(2, channels, 7, 10, generator=torch.Generator().manual_seed(0))
    y = theirs(x.double())
    x = (x.contiguous(memory_format=last) if where in ("pixels", "both") else x).requires_grad_()
    with Watch():
        z = ours(x)
        z.square().sum().backward()
    y.square().sum().backward()
    torch.testing.assert_close(z.double(), y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad.double(), theirs.weight.grad, rtol=1e-4, atol=1e-4)


def test_the_watch_sees_a_strided_pointwise_convolution() -> None:
    conv = torch.nn.Conv2d(32, 32, 1, stride=2)
    x = torch.rand(2, 32, 8, 8)
    with Watch():
        conv(x)
        for given in (x.contiguous(memory_format=torch.channels_last), x[..., ::2, :]):
            with pytest.raises(AssertionError, match="strided 1x1"):
                conv(given)
        with pytest.raises(AssertionError, match="strided 1x1"):
            conv.to(memory_format=torch.channels_last)(x)


def test_the_exported_recogniser_keeps_one_node_a_strided_convolution(tmp_path: Path) -> None:
    import onnx

    from mm_model.embedded.training.facepack import export

    net = FaceRecognizer(8, (8, 8, 8, 8), (1, 1, 1, 1), stem_stride=2)
    export.export_recognizer(net.to(memory_format=torch.channels_last), tmp_path / "r.onnx")
    nodes = onnx.load(tmp_path / "r.onnx").graph.node
    assert "Slice" not in {node.op_type for node in nodes}
    strides = [list(a.ints) for node in nodes for a in node.attribute if a.name == "strides"]
    assert strides.count([2, 2]) == 9, "the stem, and two in each of four stages"
