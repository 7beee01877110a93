"""Small picture classifiers of three families, with random weights, saved as published ones are.

ViT (a picture is squeezed into a square), Swin (in windows, with eight labels that exclude nothing)
and ConvNeXt (the middle of a picture is cut out).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

LABELS = ("clean", "watermark")
SIDE = 32


def _saved(folder: Path, model: Any, processor: Any) -> Path:
    """Random weights large enough that pictures matter."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _labels(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: place for place, name in enumerate(names)},
    }


def vit(folder: Path, labels: tuple[str, ...] = LABELS, **more: Any) -> Path:
    """ViT's layout."""
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=SIDE,
        patch_size=8,
        **_labels(labels),
        **more,
    )
    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, transformers.ViTForImageClassification(config), processor)


def swin(folder: Path) -> Path:
    """Swin's layout, with a head of which each label is a question of its own."""
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    names = ("text", "logo", "watermark", "border", "sign", "subtitle", "frame", "stamp")
    config = transformers.SwinConfig(
        image_size=SIDE,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 2],
        window_size=4,
        problem_type="multi_label_classification",
        **_labels(names),
    )
    processor = ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, transformers.SwinForImageClassification(config), processor)


def convnext(folder: Path) -> Path:
    """ConvNeXt's layout; its processor keeps the shape of a picture and cuts out the middle."""
    import transformers
    from transformers.models.convnext.image_processing_pil_convnext import (
        ConvNextImageProcessorPil,
    )

    config = transformers.ConvNextConfig(
        hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, image_size=SIDE, **_labels(LABELS)
    )
    processor = ConvNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_pct=0.875)
    return _saved(folder, transformers.ConvNextForImageClassification(config), processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {"vit": vit, "swin": swin, "convnext": convnext}
