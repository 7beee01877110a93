"""The trained networks as ONNX files that InsightFace's ``FaceAnalysis`` routes and decodes.

Detector: one image of any size (multiples of 32), nine outputs. Recogniser: 112x112, one output.
The files hold no training state, no paths and no time stamps.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mm_model.embedded.training.facepack.detector import Detector
from mm_model.nn.identity.face_recognizer import INPUT_SIZE, FaceRecognizer
from mm_model.store import atomic

_OPSET = 17
_DETECTOR_OUTPUTS = [f"{kind}_{s}" for kind in ("score", "bbox", "kps") for s in (8, 16, 32)]


def round_to_half(model: torch.nn.Module) -> None:
    """Round matrices and kernels to float16 numbers in place; norms and biases stay exact.

    Files then hold them in half the bytes, and torch and ONNX still compute from one set.
    """
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())


def _store_half(model: Any) -> None:
    """Keep initialisers that are float16 numbers as float16, each with a cast to float32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim < 2 or values.dtype != np.float32:
            continue
        halves = values.astype(np.float16)
        if not np.array_equal(halves.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        wide = {"to": TensorProto.FLOAT, "name": f"widen_{name}"}
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], **wide))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _export(module: torch.nn.Module, example: torch.Tensor, target: Path, **names: Any) -> None:
    import onnx

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The older exporter is deprecated, but keeps free sizes as names. PRESERVE leaves batch
        # norms unfolded: the weights in the file stay the very numbers of the torch network.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.to(memory_format=torch.contiguous_format).eval(),
            (example,),
            buffer,
            opset_version=_OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            **names,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _store_half(model)
    onnx.checker.check_model(model)
    atomic.write_bytes(target, model.SerializeToString())


def export_detector(model: Detector, target: Path) -> None:
    """Write ``model`` as an SCRFD-shaped ONNX file with free height and width."""
    free = {2: "height", 3: "width"}
    sizes = {"input": free, **{name: {0: f"n_{name}"} for name in _DETECTOR_OUTPUTS}}
    example = torch.zeros(1, 3, 128, 128)
    _export(
        model,
        example,
        target,
        input_names=["input"],
        output_names=_DETECTOR_OUTPUTS,
        dynamic_axes=sizes,
    )


def export_recognizer(model: FaceRecognizer, target: Path) -> None:
    """Write ``model`` as an ArcFace-shaped ONNX file with a free batch."""
    example = torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)
    sizes = {"input": {0: "batch"}, "embedding": {0: "batch"}}
    _export(
        model,
        example,
        target,
        input_names=["input"],
        output_names=["embedding"],
        dynamic_axes=sizes,
    )
