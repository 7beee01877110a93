"""The tiny face detector: a small ConvNet with SCRFD's nine outputs.

Outputs by kind, then by stride 8, 16, 32: scores [N, 1], box distances [N, 4], landmark offsets
[N, 10], the last two in strides. Refuses to decode: see ``anchors.py`` and InsightFace itself.
"""

from __future__ import annotations

import torch
from torch import nn

from mm_model.embedded.training.facepack import anchors

_ANCHORS = 2
_KINDS = (1, 4, 10)


def _conv(inside: int, outside: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """RGB images [B, 3, H, W], (pixel - 127.5) / 128, H and W multiples of 32, to nine outputs.

    ``channels`` are those of the stem and of strides 4, 8, 16, 32; ``neck`` is the width of the
    feature pyramid and of the heads.
    """

    def __init__(self, channels: tuple[int, ...] = (16, 24, 48, 72, 96), neck: int = 32) -> None:
        super().__init__()
        stem, quarter, *deep = channels
        self.stem = nn.Sequential(_conv(3, stem, 2), _conv(stem, quarter, 2), _Residual(quarter))
        stages, inside = [], quarter
        for outside in deep:
            stages.append(nn.Sequential(_conv(inside, outside, 2), _Residual(outside)))
            inside = outside
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(nn.Conv2d(c, neck, 1) for c in deep)
        self.heads = nn.ModuleList(_conv(neck, neck) for _ in deep)
        self.outputs = nn.ModuleList(nn.Conv2d(neck, _ANCHORS * sum(_KINDS), 1) for _ in deep)
        self._start_from_mean_face()

    def _start_from_mean_face(self) -> None:
        """First guesses: a rare face (1%), a box of the anchor's size, a mean face inside."""
        for layer, stride, sizes in zip(
            self.outputs, anchors.STRIDES, anchors.ANCHOR_SIZES, strict=True
        ):
            nn.init.normal_(layer.weight, std=0.01)
            rows = []
            for size in sizes:
                mean = [v * size / stride for point in anchors.MEAN_LANDMARKS for v in point]
                rows.append(torch.tensor([-4.6, *[size / stride / 2] * 4, *mean]))
            with torch.no_grad():
                layer.bias.copy_(torch.cat(rows))

    def pyramid(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Raw head values [B, 2 * 15, H/stride, W/stride] for the strides 8, 16, 32."""
        x = self.stem(x)
        features = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            features.append(lateral(x))
        for fine, coarse in ((1, 2), (0, 1)):
            up = nn.functional.interpolate(features[coarse], scale_factor=2.0, mode="nearest")
            features[fine] = features[fine] + up
        return [
            output(head(f))
            for f, head, output in zip(features, self.heads, self.outputs, strict=True)
        ]

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """All anchors [B, N, 15]: score logit, 4 distances and 10 offsets in strides."""
        rows = [p.permute(0, 2, 3, 1).reshape(p.shape[0], -1, sum(_KINDS)) for p in self.pyramid(x)]
        return torch.cat(rows, dim=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The nine outputs of SCRFD; several images follow one another along N."""
        rows = [p.permute(0, 2, 3, 1).reshape(-1, sum(_KINDS)) for p in self.pyramid(x)]
        scores = tuple(torch.sigmoid(r[:, :1]) for r in rows)
        return scores + tuple(r[:, 1:5] for r in rows) + tuple(r[:, 5:] for r in rows)
