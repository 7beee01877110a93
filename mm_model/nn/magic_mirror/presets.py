"""Presets of adapter sizes, and the published configuration of the CogVideoX-5B components.

Sizes are data. The paper leaves the sizes of CAN and the face perceiver open; `paper` is the
literal reading that prints as its 12.8 B: a hidden width of 512 in CAN would make 12.4 B. The
others are alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm_model.errors import UserError
from mm_model.nn.injection.config import backbone_family
from mm_model.nn.magic_mirror.config import AdapterConfig

# The sizes of PhotoMaker-V2's identity perceiver, whose weights are published.
_FACE_2048 = {"face_dim": 2048, "face_depth": 4, "face_heads": 16, "face_head_dim": 128}

PRESETS: dict[str, dict[str, int | bool]] = {
    # 256: the two identity tokens together are as wide as the time embedding they meet in CAN.
    "paper": {**_FACE_2048, "can_code": 256, "can_hidden": 1024},
    "paper_wide": {
        "face_dim": 3072,
        "face_depth": 8,
        "face_heads": 24,
        "face_head_dim": 128,
        "can_code": 256,
        "can_hidden": 256,
        "face_projection": False,  # the perceiver already ends in the width of the DiT
    },
    "mid": {**_FACE_2048, "can_code": 256, "can_hidden": 512},
    "lite": {**_FACE_2048, "can_code": 256, "can_hidden": 256},
    # For training on a card of 24 GB (profiles/workstation.yaml); nothing of the paper fits there.
    "lean": {
        "face_dim": 1024,
        "face_depth": 4,
        "face_heads": 8,
        "face_head_dim": 128,
        "can_code": 256,
        "can_hidden": 64,
    },
}
PRESET_NAMES = (*PRESETS, "tiny")

COGVIDEOX_5B_TRANSFORMER: Mapping[str, Any] = {
    "num_layers": 42,
    "num_attention_heads": 48,
    "attention_head_dim": 64,
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "patch_size_t": None,
    "time_embed_dim": 512,
    "text_embed_dim": 4096,
    "max_text_seq_length": 226,
    "sample_width": 90,
    "sample_height": 60,
    "sample_frames": 49,
    "temporal_compression_ratio": 4,
    "attention_bias": True,
    "activation_fn": "gelu-approximate",
    "norm_eps": 1e-5,
    "norm_elementwise_affine": True,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": False,
    "ofs_embed_dim": None,
}
T5_XXL_ENCODER: Mapping[str, Any] = {
    "d_model": 4096,
    "d_kv": 64,
    "num_heads": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "feed_forward_proj": "gated-gelu",
    "vocab_size": 32128,
}
CLIP_VIT_L14: Mapping[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
    "projection_dim": 768,
}
ID_PERCEIVER_V2: dict[str, int] = {
    "embedding_dim": 512,
    "dim": 2048,
    "depth": 4,
    "heads": 16,
    "head_dim": 128,
    "context_dim": 1024,
}


def tiny_sizes(width: int, id_dim: int) -> dict[str, int]:
    """Sizes for a small backbone, derived from its widths (design choice, laptop scale).

    The face perceiver is as wide as the identity tokens: it may begin as the identity perceiver.
    """
    face_head_dim = min(32, id_dim)
    face_heads = max(1, id_dim // face_head_dim)
    return {
        "face_dim": face_heads * face_head_dim,
        "face_depth": 2,
        "face_heads": face_heads,
        "face_head_dim": face_head_dim,
        "face_tokens": 16,
        "can_code": max(16, id_dim // 4),
        "can_hidden": width,
    }


def adapter_config(
    preset: str,
    transformer: Mapping[str, Any],
    clip_dim: int,
    id_dim: int,
    **overrides: Any,
) -> AdapterConfig:
    """The adapter configuration of a preset for a given backbone.

    `transformer` is a CogVideoX transformer configuration, `clip_dim` the width of the CLIP tokens,
    `id_dim` that of the identity tokens. `overrides` replace any field (attention_mode, use_can,
    ...). Raises `UserError` on an unknown preset.
    """
    width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
    if preset == "tiny":
        sizes = tiny_sizes(width, id_dim)
    elif preset in PRESETS:
        sizes = PRESETS[preset]
    else:
        raise UserError(f"Unknown preset {preset!r}; choose one of {', '.join(PRESET_NAMES)}.")
    fields: Mapping[str, Any] = {
        "preset": preset,
        "family": backbone_family(transformer),
        "num_layers": transformer["num_layers"],
        "width": width,
        "num_heads": transformer["num_attention_heads"],
        "time_dim": transformer["time_embed_dim"],
        "text_dim": transformer["text_embed_dim"],
        "norm_eps": transformer["norm_eps"],
        "clip_dim": clip_dim,
        "id_dim": id_dim,
        **sizes,
        **overrides,
    }
    return AdapterConfig(**fields)
