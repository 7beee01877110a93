"""Small CLIP, DINO and DINOv2 of random weights, saved as published ones are."""

from pathlib import Path
from typing import Any

import torch

from tests.pairs.tiny_sdxl import tokenizer

SIDE, WIDTH = 32, 32


def _saved(folder: Path, model: Any, *parts: Any) -> Path:
    """Weights large enough that pictures and words matter."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    for part in (model, *parts):
        part.save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    """CLIP's layout with its tokenizer of 77 words."""
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = tokenizer("<|endoftext|>")
    small: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = transformers.CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
        },
        vision_config={**small, "image_size": SIDE, "patch_size": 8},
        projection_dim=16,
    )
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return _saved(folder, transformers.CLIPModel(config), words, pictures)


def _vit(name: str, folder: Path, **more: Any) -> Path:
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = getattr(transformers, f"{name}Config")(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=8,
        **more,
    )
    model = getattr(transformers, f"{name}Model")(config)
    return _saved(folder, model, ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}))


def dino(folder: Path) -> Path:
    """The layout of DINO's ViT."""
    return _vit("ViT", folder, intermediate_size=WIDTH)


def dinov2(folder: Path) -> Path:
    """DINOv2's layout."""
    return _vit("Dinov2", folder)
