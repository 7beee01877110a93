"""What the detector is trained to lower: focal loss on scores, GIoU on boxes, L1 on landmarks.

Works on the raw rows of ``Detector.raw`` and the owners of ``anchors.assign``; draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mm_model.embedded.training.facepack import anchors

_FOCUS = 2.0
_LANDMARK_WEIGHT = 8.0


@dataclass
class SceneTargets:
    """Faces of a batch of scenes: owners [B, N], boxes [B, M, 4], landmarks [B, M, 5, 2], pixels.

    M is the largest number of faces; rows that no anchor owns are padding.
    """

    owners: torch.Tensor
    boxes: torch.Tensor
    landmarks: torch.Tensor


def _giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised intersection over union of corner boxes [P, 4] (Rezatofighi et al., 2019)."""
    area_a = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1)
    area_b = (b[:, 2:] - b[:, :2]).prod(1)
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    outer = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    shared, hull = inner.prod(1), outer.prod(1)
    union = area_a + area_b - shared
    return shared / union - (hull - union) / hull


def detector_loss(
    raw: torch.Tensor, targets: SceneTargets, height: int, width: int
) -> dict[str, torch.Tensor]:
    """Losses ``total``, ``score``, ``box``, ``landmarks`` (scalars) of raw rows [B, N, 15].

    Landmark errors count in face sides, so 0.04 is 4% of the face.
    """
    centres, strides, _ = (torch.from_numpy(a) for a in anchors.grid(height, width))
    owned = targets.owners >= 0
    count = owned.sum().clamp(min=1)
    logits = raw[..., 0]
    truth = owned.float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = (torch.sigmoid(logits) - truth).abs()
    score = (entropy * wrong**_FOCUS * (targets.owners > -2)).sum() / count
    scene, anchor = owned.nonzero(as_tuple=True)
    face = targets.owners[scene, anchor]
    rows = raw[scene, anchor] * strides[anchor, None]
    origin = centres[anchor]
    box = torch.cat([origin - rows[:, 1:3], origin + rows[:, 3:5]], dim=1)
    true_box = targets.boxes[scene, face]
    side = (true_box[:, 2:] - true_box[:, :2]).prod(1).sqrt()
    points = origin[:, None] + rows[:, 5:].view(-1, 5, 2)
    away = (points - targets.landmarks[scene, face]) / side[:, None, None]
    landmark_loss = F.smooth_l1_loss(away, torch.zeros_like(away), beta=0.02, reduction="sum")
    landmark_loss = landmark_loss / (count * 10)
    box_loss = (1 - _giou(box, true_box)).sum() / count
    total = score + box_loss + _LANDMARK_WEIGHT * landmark_loss
    return {"total": total, "score": score, "box": box_loss, "landmarks": landmark_loss}
