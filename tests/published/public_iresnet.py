"""IResNet as insightface's arcface_torch writes it down: names, order and sizes of its state dict.

A transcription that shares no code with ours, so that each holds the other to the public layout.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

IRESNET50, IRESNET100 = (3, 4, 14, 3), (3, 13, 30, 3)


class IBasicBlock(nn.Module):
    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inplanes, eps=1e-05)
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes, eps=1e-05)
        self.prelu = nn.PReLU(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes, eps=1e-05)
        self.downsample = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inplanes, planes, 1, stride=stride, bias=False),
                nn.BatchNorm2d(planes, eps=1e-05),
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.bn1(x)
        out = self.conv1(out)
        out = self.bn2(out)
        out = self.prelu(out)
        out = self.conv2(out)
        out = self.bn3(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        return out + identity


class PublicIResNet(nn.Module):
    """`planes` are 64, 128, 256, 512 in the published networks."""

    def __init__(
        self,
        layers: tuple[int, ...],
        planes: tuple[int, ...] = (64, 128, 256, 512),
        num_features: int = 512,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, planes[0], 3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0], eps=1e-05)
        self.prelu = nn.PReLU(planes[0])
        inplanes = planes[0]
        for number, (width, count) in enumerate(zip(planes, layers, strict=True), start=1):
            units = [IBasicBlock(inplanes, width, 2)]
            units += [IBasicBlock(width, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*units))
            inplanes = width
        self.bn2 = nn.BatchNorm2d(planes[3], eps=1e-05)
        self.dropout = nn.Dropout(p=0, inplace=True)
        self.fc = nn.Linear(planes[3] * 7 * 7, num_features)
        self.features = nn.BatchNorm1d(num_features, eps=1e-05)
        nn.init.constant_(self.features.weight, 1.0)
        self.features.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = torch.flatten(self.bn2(x), 1)
        return self.features(self.fc(self.dropout(x)))


def small(layers: tuple[int, ...] = IRESNET50, width: int = 512, seed: int = 0) -> PublicIResNet:
    """An IResNet-50 of few channels whose norms are off their start, as after a training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PublicIResNet(layers, (8, 8, 12, 16), width)
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.8, 1.2)
                part.bias.data.normal_(0, 0.1)
                if part is not model.features:
                    part.weight.data.uniform_(0.8, 1.2)
    return model.eval()


def export(model: nn.Module, path: Path, folded: bool = True) -> Path:
    """Its ONNX file as insightface's own script makes it; norms are folded unless said."""
    kind = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, 112, 112),),
            str(path),
            opset_version=17,
            dynamo=False,
            training=kind.EVAL if folded else kind.PRESERVE,
            do_constant_folding=folded,
            input_names=["input.1"],
            dynamic_axes={"input.1": {0: "None"}},
        )
    return path
