"""Five-point similarity alignment to the ArcFace 112x112 template, differentiable in the pixels.

Landmark order: left eye, right eye, nose, left mouth corner, right mouth corner (as seen in the
picture), in pixels with pixel centres at integers. No detector here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ARCFACE_TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


def template(size: int = 112) -> Tensor:
    """Target landmarks `[5,2]` in an aligned picture of `size` pixels (112 in the literature)."""
    return torch.tensor(ARCFACE_TEMPLATE, dtype=torch.float64) * (size / 112.0)


def similarity_transform(source: Tensor, target: Tensor) -> Tensor:
    """Least-squares similarity (rotation, uniform scale, shift; no mirror) `[N,2,3]`.

    Maps `source [N,K,2]` to `target [K,2]` or `[N,K,2]`; Umeyama's problem in two dimensions, where
    the optimum has a closed form in complex numbers.
    """
    source, target = source.double(), target.double().to(source.device)
    target = target.expand_as(source)
    mean_s, mean_t = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    s, t = source - mean_s, target - mean_t
    norm = (s * s).sum((1, 2)).clamp(min=1e-12)
    real = (s * t).sum((1, 2)) / norm
    imag = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / norm
    linear = torch.stack([torch.stack([real, -imag], -1), torch.stack([imag, real], -1)], dim=1)
    shift = mean_t[:, 0] - torch.einsum("nij,nj->ni", linear, mean_s[:, 0])
    return torch.cat([linear, shift[..., None]], dim=-1)


def warp(images: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Resample `images [N,C,H,W]` so that `matrices [N,2,3]` (source to output pixels) is applied.

    Bilinear, zero outside; output `[N,C,size,size]`, differentiable with respect to the images.
    """
    count, _, height, width = images.shape
    inverse = _invert(matrices).to(images.device)
    axis = torch.arange(size, dtype=torch.float64, device=images.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(1, -1, 3)
    source = points @ inverse.transpose(1, 2)
    # Pixel centres lie at whole numbers, as for OpenCV: -1 and 1 are the outermost centres.
    scale = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=images.device)
    grid = (source / scale * 2 - 1).reshape(count, size, size, 2).to(images.dtype)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def align_faces(images: Tensor, landmarks: Tensor, size: int = 112) -> Tensor:
    """Faces `[N,C,size,size]` cut from `images [N,C,H,W]` by `landmarks [N,5,2]` (pixels)."""
    return warp(images, similarity_transform(landmarks, template(size)), size)


def _invert(matrices: Tensor) -> Tensor:
    """Inverse of affine maps `[N,2,3]`."""
    matrices = matrices.double()
    linear = torch.linalg.inv(matrices[:, :, :2])
    return torch.cat([linear, -(linear @ matrices[:, :, 2:])], dim=-1)
