"""The trained networks as ONNX files that InsightFace's ``FaceAnalysis`` routes and decodes.

Detector: one image of any size (multiples of 32), nine outputs. Recogniser: 112x112, one output.
The files hold no training state, no paths and no time stamps.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import torch

from mm_model.foundry.facepack.detector import Detector
from mm_model.nn.face_recognizer import INPUT_SIZE, FaceRecognizer
from mm_model.store import atomic

_OPSET = 17
_DETECTOR_OUTPUTS = [f"{kind}_{s}" for kind in ("score", "bbox", "kps") for s in (8, 16, 32)]


def _export(model: torch.nn.Module, example: torch.Tensor, target: Path, **names: object) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The older exporter is deprecated, but folds batch norms and keeps free sizes as names.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.to(memory_format=torch.contiguous_format).eval(),
            (example,),
            buffer,
            opset_version=_OPSET,
            dynamo=False,
            **names,
        )
    atomic.write_bytes(target, buffer.getvalue())


def export_detector(model: Detector, target: Path) -> None:
    """Write ``model`` as an SCRFD-shaped ONNX file with free height and width."""
    free = {2: "height", 3: "width"}
    sizes = {"input": free, **{name: {0: f"n_{name}"} for name in _DETECTOR_OUTPUTS}}
    example = torch.zeros(1, 3, 128, 128)
    _export(model, example, target, input_names=["input"], output_names=_DETECTOR_OUTPUTS,
            dynamic_axes=sizes)  # fmt: skip


def export_recognizer(model: FaceRecognizer, target: Path) -> None:
    """Write ``model`` as an ArcFace-shaped ONNX file with a free batch."""
    example = torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)
    sizes = {"input": {0: "batch"}, "embedding": {0: "batch"}}
    _export(model, example, target, input_names=["input"], output_names=["embedding"],
            dynamic_axes=sizes)  # fmt: skip
