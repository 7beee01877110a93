"""PhotoMaker-V2's side of SDXL: identity tokens stacked into a prompt at the class word.

Names, sizes and the order of operations are those of the published file and of `model_v2.py` in the
repository TencentARC/PhotoMaker; CLIP and the identity perceiver are the adapter's
own (`encoder.py`). The file's two visual projections take no part in V2's forward pass; they are
held to their shapes like everything else, so that another file is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.photomaker import (
    DROPPED_KEYS,
    ENCODER,
    LORA,
    encoder_of,
    read_pickle,
    take_tensors,
)
from mm_model.nn.injection.files import load_tensors
from mm_model.nn.layers import LayerNorm, Linear

CLIP_HEAD, PERCEIVER_HEAD = 64, 128
"""Width of an attention head in ViT-L/14 (16 of 1024) and in the perceiver (16 of 2048)."""


class Refined(nn.Module):
    """W2 GELU(W1 LN(x)), onto its input where `residual` says so."""

    def __init__(self, width: int, hidden: int, out: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.layernorm = LayerNorm(width)
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., width] -> [..., out]`."""
        out = self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))
        return x + out if self.residual else out


class Stacking(nn.Module):
    """One embedding of a class word and one identity token become one embedding again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp1 = Refined(2 * width, width, width, residual=False)
        self.mlp2 = Refined(width, width, width, residual=True)
        self.layer_norm = LayerNorm(width)

    def forward(self, words: Tensor, identity: Tensor) -> Tensor:
        """`words [M,width]`, `identity [M,width]` -> `[M,width]`."""
        stacked = words + self.mlp1(torch.cat([words, identity], dim=-1))
        return self.layer_norm(self.mlp2(stacked))


class SdxlSide(nn.Module):
    """What the file holds for SDXL alone, under its own names."""

    def __init__(self, clip_dim: int, width: int, projections: tuple[int, int]) -> None:
        super().__init__()
        self.visual_projection = Linear(clip_dim, projections[0], bias=False)
        self.visual_projection_2 = Linear(clip_dim, projections[1], bias=False)
        self.fuse_module = Stacking(width)


class StackedIdentity(nn.Module):
    """The published `id_encoder` whole: photographs and face vectors into a prompt's embeddings.

    `encoder` holds CLIP and tau_id; `width` is that of SDXL's text embeddings, both encoders side
    by side.
    """

    def __init__(self, encoder: IdentityEncoder, side: SdxlSide) -> None:
        super().__init__()
        self.encoder = encoder
        self.side = side
        self.requires_grad_(False).eval()

    @property
    def width(self) -> int:
        """Width of the embeddings it takes and gives."""
        return self.encoder.id_dim

    @property
    def face_width(self) -> int:
        """Length of the raw face vector it takes."""
        return self.encoder.perceiver_config["embedding_dim"]

    @torch.no_grad()
    def forward(self, words: Tensor, at: int, pixels: Tensor, embedding: Tensor) -> Tensor:
        """`words [1,L,width]`, the class word's copies from place `at` on, `pixels [R,3,S,S]` as
        CLIP takes them, raw face vectors `embedding [R,E]` -> `[1,L,width]`, other places as they
        were.

        Two copies of the class word stand for each photograph.
        """
        features = self.encoder.features(pixels[None], embedding[None])
        identity = features.x_id.flatten(0, 2).to(words.dtype)
        places = slice(at, at + len(identity))
        out = words.clone()
        out[0, places] = self.side.fuse_module(words[0, places], identity)
        return out


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """`id_encoder` and `lora_weights` of a PhotoMaker-V2 file, as published or as converted.

    A `.bin` is read with `weights_only=True`; `.safetensors` holds both under their prefixes.

    Raises `UserError` for a file that is absent, damaged, or holds anything else.
    """
    if path.suffix == ".bin":
        parts = read_pickle(path)
    else:
        parts = {ENCODER: {}, LORA: {}}
        for key, value in load_tensors(path).items():
            part, _, name = key.partition(".")
            if part not in parts:
                raise UserError(
                    f"{path}: {key!r} is neither below {ENCODER!r} nor below {LORA!r}: convert "
                    "photomaker-v2.bin anew, with its LoRA (docs/real-media.md)."
                )
            parts[part][name] = value
    for name in (ENCODER, LORA):
        if not parts.get(name):
            raise UserError(
                f"{path} holds no {name!r}: a synthesiser needs the published photomaker-v2.bin, "
                "or that converted with its LoRA (docs/real-media.md)."
            )
    return parts[ENCODER], parts[LORA]


def stacked_identity(state: Mapping[str, Tensor], path: Path) -> StackedIdentity:
    """The identity encoder of a file's `id_encoder`, of the sizes that its tensors have.

    Raises `UserError` naming a tensor that is missing, unknown or misshapen.
    """
    clip, perceiver = sizes_of(state, path)
    encoder = encoder_of(state, path, None, clip, perceiver)
    rest = {key: state[key] for key in DROPPED_KEYS if key in state}
    projections = (
        _shape(rest, "visual_projection.weight", path)[0],
        _shape(rest, "visual_projection_2.weight", path)[0],
    )
    with torch.device("meta"):
        side = SdxlSide(encoder.clip_dim, encoder.id_dim, projections)
    take_tensors(side, rest, "SDXL", path)
    return StackedIdentity(encoder, side)


def face_width_of(state: Mapping[str, Tensor], path: Path) -> int:
    """Length of the raw face vector that the file was trained on: 512 in the published one."""
    return _shape(state, "qformer_perceiver.token_proj.0.weight", path)[1]


def sizes_of(state: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Configurations of CLIP and tau_id, read off the tensors; heads are as wide as published.

    Raises `UserError` naming a tensor that is missing.
    """
    vision, qformer = "vision_model.", "qformer_perceiver."
    hidden = _shape(state, vision + "embeddings.class_embedding", path)[0]
    patch = _shape(state, vision + "embeddings.patch_embedding.weight", path)[-1]
    places = _shape(state, vision + "embeddings.position_embedding.weight", path)[0]
    clip = {
        "hidden_size": hidden,
        "intermediate_size": _shape(state, vision + "encoder.layers.0.mlp.fc1.weight", path)[0],
        "num_hidden_layers": _layers(state, vision + "encoder.layers."),
        "num_attention_heads": max(1, hidden // CLIP_HEAD),
        "patch_size": patch,
        "image_size": patch * math.isqrt(places - 1),
        "projection_dim": _shape(state, "visual_projection.weight", path)[0],
    }
    dim = _shape(state, qformer + "token_norm.weight", path)[0]
    resampler = qformer + "perceiver_resampler."
    perceiver = {
        "embedding_dim": face_width_of(state, path),
        "dim": dim,
        "depth": _layers(state, resampler + "layers."),
        "heads": max(1, dim // PERCEIVER_HEAD),
        "head_dim": PERCEIVER_HEAD,
        "context_dim": _shape(state, resampler + "proj_in.weight", path)[1],
    }
    return clip, perceiver


def _layers(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered layers stand below `prefix`; of one that is lost a tensor is missed, and a
    number too high is unknown.
    """
    numbers = {key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)}
    return len([number for number in numbers if number.isdigit()])


def _shape(state: Mapping[str, Tensor], key: str, path: Path) -> tuple[int, ...]:
    if key not in state or state[key].dim() == 0:
        raise UserError(
            f"{path}: the tensor {key!r} is missing or misshapen: it is not a PhotoMaker-V2 file; "
            "fetch it again."
        )
    return tuple(state[key].shape)
