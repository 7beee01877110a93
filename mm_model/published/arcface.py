"""ArcFace's IResNet from a file: insightface's torch layout, strictly, or its export to ONNX.

The result is a torch network, so the identity loss can be differentiated through it. Refused is
whatever is no IResNet: MobileFaceNets, vision transformers, and whole training checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.nn.identity.photomaker import tensors_of_pickle
from mm_model.nn.injection.files import load_tensors

_CELLS = 7 * 7
"""Cells that an aligned face of 112 pixels has behind the four stages."""
_WAY_OUT = (
    "give an IResNet of insightface's arcface_torch (backbone.pth or model.pt: conv1, bn1, prelu, "
    "layer1 to layer4, bn2, fc, features) or an InsightFace pack's recogniser of that kind as ONNX"
)


def read_recognizer(path: Path) -> FaceRecognizer:
    """The recogniser in `path`, in float32 and eval mode.

    A pickle is read with `weights_only=True`. An ONNX file is converted and held against ONNX
    Runtime's own answers.

    Raises:
        UserError: the file is missing or is no such network.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is missing"
        raise UserError(f"{path} {what}; name the recogniser's file.")
    if path.suffix.lower() == ".onnx":
        from mm_model.published import arcface_onnx

        model = recognizer_of(arcface_onnx.state_in(path), path)
        arcface_onnx.require_equal(model, path)
        return model
    return recognizer_of(_tensors(path), path)


def _tensors(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_tensors(path)
    data = tensors_of_pickle(path, _WAY_OUT)
    if not isinstance(data, Mapping):
        raise UserError(f"{path} holds no tensors by name: {_WAY_OUT}.")
    strange = [key for key, value in data.items() if not isinstance(value, Tensor)]
    if strange:
        raise UserError(f"{path} holds {strange[0]!r}, which is no tensor: {_WAY_OUT}.")
    return data


def recognizer_of(state: Mapping[str, Tensor], path: Path) -> FaceRecognizer:
    """The recogniser of a state dict in the public layout, of the sizes that its tensors have.

    Raises:
        UserError: a tensor is missing, unknown, misshapen or not finite; `path` is named.
    """
    try:
        channels = tuple(len(state[f"layer{n}.0.conv1.weight"]) for n in range(1, 5))
        blocks = tuple(_units(state, f"layer{n}.") for n in range(1, 5))
        width, inputs = state["fc.weight"].shape
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{path} is no IResNet by the names of its tensors: {_WAY_OUT}.") from None
    if inputs != channels[3] * _CELLS:
        raise UserError(f"{path}: fc.weight takes {inputs} numbers: {_WAY_OUT}.")
    with torch.device("meta"):
        model = FaceRecognizer(width, channels, blocks)
    own = model.state_dict()
    wrong = sorted(k for k in own.keys() | state.keys() if _shape(own, k) != _shape(state, k))
    if wrong:
        raise UserError(
            f"{path}: {len(wrong)} tensors are missing, unknown or misshapen (first: {wrong[0]}): "
            f"{_WAY_OUT}."
        )
    bad = sorted(key for key, value in state.items() if not bool(torch.isfinite(value).all()))
    if bad:
        raise UserError(f"{path}: {bad[0]} is not finite; fetch the file again.")
    model.load_state_dict(dict(state), assign=True)
    return model.float().eval().requires_grad_(False)


def _units(state: Mapping[str, Tensor], prefix: str) -> int:
    numbers = {key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)}
    # As many as there are: one with a gap lacks a tensor, and a number too high is unknown.
    return len([number for number in numbers if number.isdigit()])


def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None
