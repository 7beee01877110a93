"""An ArcFace IResNet back from its ONNX file, under the names of the torch layout.

InsightFace's packs hold such files (w600k_r50.onnx of buffalo_l). Batch norms behind convolutions
are usually folded into them by the export; such a norm comes back as one that only adds the bias.
The network that results is held against ONNX Runtime, so a wrong reading cannot pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mm_model.errors import UserError, first_line
from mm_model.nn.identity.face_recognizer import INPUT_SIZE, FaceRecognizer
from mm_model.nn.identity.recognizer import OnnxRecognizer, unit

_EPS = 1e-5
"""Of every batch norm in the torch network."""
_THROUGH = ("Identity", "Dropout", "Cast")
_CONSTANT = (*_THROUGH, "Unsqueeze", "Squeeze", "Reshape")
"""Nodes that change a constant's shape or width only."""
_FAR = 1e-3
"""Largest relative difference from ONNX Runtime: sums in another order, nothing else."""


class _NoIResNet(Exception):
    """The graph is another than an IResNet's."""


def state_in(path: Path) -> dict[str, Tensor]:
    """The tensors of an IResNet's ONNX file by their names in the torch layout.

    Raises:
        UserError: it is no ONNX file, or of another network.
    """
    import onnx

    try:
        graph = _Graph(onnx.load(str(path)).graph)
    except Exception as error:  # protobuf and onnx have several
        raise UserError(
            f"{path} cannot be read as an ONNX file ({first_line(error)}); fetch it again."
        ) from error
    try:
        return _read(graph)
    except _NoIResNet as error:
        raise UserError(
            f"{path} is no ArcFace IResNet as InsightFace exports it ({error}): name a pack's "
            "recogniser of that kind (w600k_r50.onnx of buffalo_l), or its torch file."
        ) from None


def require_equal(model: FaceRecognizer, path: Path) -> None:
    """Raise `UserError` unless `model` gives the vectors of the ONNX file `path`."""
    dice = torch.Generator().manual_seed(0)
    faces = torch.rand(2, 3, INPUT_SIZE, INPUT_SIZE, generator=dice) * 2 - 1
    with torch.no_grad():
        ours, theirs = model.embed(faces), OnnxRecognizer(path).embed(faces)
    far = float((ours - theirs).norm() / theirs.norm().clamp(min=1e-12))
    alike = float((unit(ours) * unit(theirs)).sum(-1).min())
    if not far < _FAR:
        raise UserError(
            f"{path} was read, but its vectors differ from those of ONNX Runtime by {far:.2g} "
            f"(cosine {alike:.4f}): give its torch file instead."
        )


class _Graph:
    """Nodes by what they read, and constants by name."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            given = node.input[0] if node.input else ""
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type in _CONSTANT and given in self.constants:
                self.constants[node.output[0]] = self.constants[given]
            else:
                for name in dict.fromkeys(node.input):
                    self.readers.setdefault(name, []).append(node)
        (self.input,) = [one.name for one in graph.input if one.name not in self.constants]

    def after(self, name: str) -> list[Any]:
        """What computes with a value; nodes that only hand it on are passed."""
        found = [node for node in self.readers.get(name, []) if node.op_type != "Shape"]
        if len(found) == 1 and found[0].op_type in _THROUGH:
            return self.after(found[0].output[0])
        return found

    def only(self, name: str, *kinds: str) -> Any:
        """The one node of these kinds that computes with a value."""
        found = [node for node in self.after(name) if node.op_type in kinds]
        if len(found) != 1:
            there = ", ".join(node.op_type for node in self.after(name)) or "nothing"
            raise _NoIResNet(f"{there} where {' or '.join(kinds)} belongs")
        return found[0]

    def constant(self, node: Any, place: int) -> Tensor:
        """A constant input of a node as float32."""
        if node.input[place] not in self.constants:
            raise _NoIResNet(f"{node.op_type} computes with something that is no weight")
        return torch.from_numpy(np.array(self.constants[node.input[place]], dtype=np.float32))


def _read(graph: _Graph) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    x = _conv(graph, state, graph.input, ("conv1", "bn1"))
    x = _prelu(graph, state, x, "prelu")
    stage, unit_number = 0, 0
    while len(graph.after(x)) > 1:
        strides = _convolutions(graph, x)
        stage, unit_number = (stage + 1, 0) if strides > 1 else (stage, unit_number + 1)
        x = _unit(graph, state, x, f"layer{stage}.{unit_number}.")
    x = _norm(state, graph, graph.only(x, "BatchNormalization"), "bn2")
    flat = graph.only(x, "Flatten", "Reshape")
    _head(graph, state, flat.output[0])
    return state


def _convolutions(graph: _Graph, x: str) -> int:
    """Stride of the unit that reads `x`: that of its second convolution."""
    y = graph.only(x, "BatchNormalization").output[0]
    y = graph.only(_conv(graph, {}, y, ("", "")), "PRelu").output[0]
    return int(_attribute(graph.only(y, "Conv"), "strides", [1])[0])


def _unit(graph: _Graph, state: dict[str, Tensor], x: str, name: str) -> str:
    """One residual unit; returns its output."""
    y = _norm(state, graph, graph.only(x, "BatchNormalization"), name + "bn1")
    y = _conv(graph, state, y, (name + "conv1", name + "bn2"))
    y = _prelu(graph, state, y, name + "prelu")
    y = _conv(graph, state, y, (name + "conv2", name + "bn3"))
    shortcut = x
    if any(node.op_type == "Conv" for node in graph.after(x)):
        shortcut = _conv(graph, state, x, (name + "downsample.0", name + "downsample.1"))
    total = graph.only(y, "Add")
    if set(total.input) != {y, shortcut}:
        raise _NoIResNet(f"the sum of {name.rstrip('.')} adds something else")
    return total.output[0]


def _conv(graph: _Graph, state: dict[str, Tensor], x: str, names: tuple[str, str]) -> str:
    """A convolution and the norm behind it, apart or folded into it."""
    node = graph.only(x, "Conv")
    weight = graph.constant(node, 1)
    bias = graph.constant(node, 2) if len(node.input) > 2 else torch.zeros(len(weight))
    state[f"{names[0]}.weight"] = weight
    behind = graph.after(node.output[0])
    if len(behind) == 1 and behind[0].op_type == "BatchNormalization":
        return _norm(state, graph, behind[0], names[1], bias)
    _set_norm(state, names[1], _identity(bias))
    return node.output[0]


def _identity(bias: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scale, shift, mean and variance of a batch norm that adds `bias` and does nothing else."""
    one = torch.ones_like(bias)
    return one * (1 + _EPS) ** 0.5, bias, torch.zeros_like(bias), one


def _norm(
    state: dict[str, Tensor], graph: _Graph, node: Any, name: str, bias: Tensor | None = None
) -> str:
    """A batch norm; `bias` is what the convolution before it adds."""
    scale, shift, mean, variance = (graph.constant(node, place) for place in range(1, 5))
    mean = mean if bias is None else mean - bias
    variance = variance + (_attribute(node, "epsilon", _EPS) - _EPS)
    _set_norm(state, name, (scale, shift, mean, variance))
    return node.output[0]


def _set_norm(
    state: dict[str, Tensor], name: str, values: tuple[Tensor, Tensor, Tensor, Tensor]
) -> None:
    kinds = ("weight", "bias", "running_mean", "running_var")
    state |= {f"{name}.{kind}": value for kind, value in zip(kinds, values, strict=True)}
    state[f"{name}.num_batches_tracked"] = torch.zeros((), dtype=torch.long)


def _prelu(graph: _Graph, state: dict[str, Tensor], x: str, name: str) -> str:
    node = graph.only(x, "PRelu")
    state[f"{name}.weight"] = graph.constant(node, 1).flatten()
    return node.output[0]


def _head(graph: _Graph, state: dict[str, Tensor], x: str) -> None:
    """The last linear layer and the norm of the vector, which may be folded into it."""
    node = graph.only(x, "Gemm")
    weight = graph.constant(node, 1)
    state["fc.weight"] = weight if _attribute(node, "transB", 0) else weight.T.contiguous()
    state["fc.bias"] = (
        graph.constant(node, 2) if len(node.input) > 2 else torch.zeros(len(state["fc.weight"]))
    )
    behind = graph.after(node.output[0])
    if len(behind) == 1 and behind[0].op_type == "BatchNormalization":
        last = _norm(state, graph, behind[0], "features")
        behind = graph.after(last)
    else:
        _set_norm(state, "features", _identity(torch.zeros(len(state["fc.weight"]))))
    if behind:
        raise _NoIResNet(f"{behind[0].op_type} behind the vector")


def _attribute(node: Any, name: str, usual: Any) -> Any:
    from onnx import helper

    found = [one for one in node.attribute if one.name == name]
    return helper.get_attribute_value(found[0]) if found else usual
