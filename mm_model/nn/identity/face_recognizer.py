"""The face recogniser as a torch network: IResNet layout, aligned faces in, raw vectors out.

Sub-module names are those of the public ArcFace IResNet, so such a state dict loads by identity.
Refuses to detect, crop or normalise: it gets aligned faces and gives raw embeddings.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from mm_model.errors import UserError
from mm_model.nn.parts import Keywords

INPUT_SIZE = 112
"""Side of the aligned face in pixels (ArcFace's convention)."""

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_DIGEST = "weights_sha256"


class ThinningConv2d(nn.Conv2d):
    """A 1x1 convolution with a stride that may lie channels last.

    There it drops the pixels it skips, then convolves the rest: the same sums as ``nn.Conv2d``,
    whose backward pass in oneDNN 3.12 overwrites foreign memory when channels are few
    (docs/decisions/strided-pointwise.md).
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__(inside, outside, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, inside, H, W] to [N, outside, ceil(H / stride), ceil(W / stride)]."""
        # A 1x1 kernel counts as contiguous either way; its last stride tells how it lies.
        channels_first = x.is_contiguous() and self.weight.stride(3) == 1
        if channels_first or torch.onnx.is_in_onnx_export():
            return super().forward(x)
        down, across = self.stride
        return nn.functional.conv2d(x[:, :, ::down, ::across], self.weight)


class ResidualUnit(nn.Module):
    """Improved residual unit: BN, conv, BN, PReLU, conv with stride, BN, plus the shortcut.

    Maps [N, inside, H, W] to [N, outside, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.prelu = nn.PReLU(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module | None = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                ThinningConv2d(inside, outside, stride), nn.BatchNorm2d(outside)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, inside, H, W] to [N, outside, H/stride, W/stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + shortcut


class FaceRecognizer(nn.Module):
    """IResNet: aligned RGB faces [N, 3, 112, 112] in [-1, 1] to raw embeddings [N, width].

    The defaults are IResNet-50; ``blocks=(3, 13, 30, 3)`` is IResNet-100. ``stem_stride=2`` (design
    choice of the tiny profile) quarters the cost of every layer. ``dropout`` acts before ``fc``.
    Raises ``ValueError`` for layouts that are not four stages of at least one unit.
    """

    def __init__(
        self,
        width: int = 512,
        channels: tuple[int, ...] = (64, 128, 256, 512),
        blocks: tuple[int, ...] = (3, 4, 14, 3),
        *,
        stem_channels: int | None = None,
        stem_stride: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(channels) != 4 or len(blocks) != 4 or min(blocks) < 1 or stem_stride not in (1, 2):
            raise ValueError(
                "a recogniser has four stages of at least one block and stem_stride 1 or 2, not "
                f"channels={tuple(channels)}, blocks={tuple(blocks)}, stem_stride={stem_stride}"
            )
        stem = stem_channels or channels[0]
        self.config: Keywords = {
            "width": width,
            "channels": list(channels),
            "blocks": list(blocks),
            "stem_channels": stem,
            "stem_stride": stem_stride,
            "dropout": dropout,
        }
        self.conv1 = nn.Conv2d(3, stem, 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.prelu = nn.PReLU(stem)
        inside, side = stem, INPUT_SIZE // stem_stride
        for number, (outside, count) in enumerate(zip(channels, blocks, strict=True), start=1):
            units = [ResidualUnit(inside, outside, 2)]
            units += [ResidualUnit(outside, outside, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*units))
            inside, side = outside, (side + 1) // 2
        self.bn2 = nn.BatchNorm2d(inside)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(inside * side * side, width)
        self.features = nn.BatchNorm1d(width)
        # The last scale is fixed at one: the margin loss sets lengths, a free scale only drifts.
        self.features.weight.requires_grad_(False)

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(self.config["width"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Aligned faces [N, 3, 112, 112] in [-1, 1], RGB, to raw embeddings [N, width]."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        x = self.dropout(self.bn2(x).flatten(1))
        return self.features(self.fc(x))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Raw embeddings [N, width] of aligned faces [N, 3, 112, 112] in [-1, 1], RGB.

        Differentiable with respect to ``x``. Raises ``ValueError`` for any other shape.
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(
                f"faces must be [N, 3, {INPUT_SIZE}, {INPUT_SIZE}], not {list(x.shape)}"
            )
        return self(x)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write ``model.safetensors``, then ``config.json`` with its digest, into ``folder``.

        ``half`` stores matrices and kernels as float16; vectors (norms, biases) stay float32.
        """
        from safetensors.torch import save

        from mm_model.store import atomic, digests

        tensors = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        if half:
            tensors = {k: v.half() if v.ndim > 1 else v for k, v in tensors.items()}
        weights = save(tensors)
        record = {"class": type(self).__name__, _DIGEST: digests.of_bytes(weights), **self.config}
        atomic.write_bytes(Path(folder) / _WEIGHTS, weights)
        atomic.write_json(Path(folder) / _CONFIG, record)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> FaceRecognizer:
        """The recogniser saved in ``folder``, in evaluation mode.

        Raises ``UserError`` when a file is missing, was altered or describes another class.
        """
        from safetensors.torch import load

        from mm_model.store import digests

        folder = Path(folder)
        for name in (_CONFIG, _WEIGHTS):
            if not (folder / name).is_file():
                raise UserError(f"{folder / name} is missing; build it with `make weights`.")
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        if config.pop("class", None) != cls.__name__:
            raise UserError(f"{folder / _CONFIG} does not describe a {cls.__name__}.")
        weights = (folder / _WEIGHTS).read_bytes()
        if config.pop(_DIGEST, None) != digests.of_bytes(weights):
            raise UserError(
                f"{folder / _WEIGHTS} is not the file that {_CONFIG} records; restore both."
            )
        model = cls(**config)
        model.load_state_dict(load(weights))
        return model.eval()
