"""The published CogVideoX backbones as configurations, and any backbone's networks without storage.

Sizes of the 5B transformer, T5, CLIP and tau_id stand in `mm_model.nn.magic_mirror.presets`; here
is what only counting and layouts need besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mm_model.diffusion.schedule import COGVIDEOX_5B
from mm_model.errors import UserError, first_line
from mm_model.nn.identity.photomaker import meta_parts
from mm_model.nn.injection.files import load_json
from mm_model.nn.magic_mirror.config import IDENTITY_DESCRIPTION, IDENTITY_FOLDER
from mm_model.nn.magic_mirror.presets import (
    CLIP_VIT_L14,
    COGVIDEOX_5B_TRANSFORMER,
    ID_PERCEIVER_V2,
    T5_XXL_ENCODER,
)
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.nn.parts import Keywords, check_transformer

COGVIDEOX_2B_TRANSFORMER: Mapping[str, Any] = {
    **COGVIDEOX_5B_TRANSFORMER,
    "num_layers": 30,
    "num_attention_heads": 30,
    "use_rotary_positional_embeddings": False,  # sincos positions instead
}
COGVIDEOX_VAE: Mapping[str, Any] = {
    "latent_channels": 16,
    "block_out_channels": (128, 256, 256, 512),
    "layers_per_block": 3,
    "down_block_types": ("CogVideoXDownBlock3D",) * 4,
    "up_block_types": ("CogVideoXUpBlock3D",) * 4,
    "sample_height": 480,
    "sample_width": 720,
    "scaling_factor": 0.7,
}
COGVIDEOX_2B_VAE: Mapping[str, Any] = {**COGVIDEOX_VAE, "scaling_factor": 1.15258426}
COGVIDEOX_2B_SCHEDULE: Mapping[str, Any] = {**COGVIDEOX_5B, "snr_shift_scale": 3.0}
"""Of the 2B backbone; that of the 5B one is `mm_model.diffusion.schedule.COGVIDEOX_5B`."""


@dataclass(frozen=True)
class Networks:
    """The frozen networks of one backbone, without storage; `name` is the backbone's."""

    name: str
    transformer: MagicMirrorTransformer3DModel
    vae: nn.Module
    text_encoder: nn.Module
    clip: nn.Module
    id_perceiver: nn.Module

    @property
    def clip_dim(self) -> int:
        """Width of CLIP's tokens."""
        return int(self.clip.config.hidden_size)

    @property
    def id_dim(self) -> int:
        """Width of the identity tokens."""
        return int(self.id_perceiver.dim)


PUBLISHED: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "cogvideox-5b": (COGVIDEOX_5B_TRANSFORMER, COGVIDEOX_VAE),
    "cogvideox-2b": (COGVIDEOX_2B_TRANSFORMER, COGVIDEOX_2B_VAE),
}
"""Transformer and VAE of the published text-to-video backbones; both have T5-XXL's encoder."""


def networks_of(backbone: str | Path) -> Networks:
    """The networks of a published backbone by its name in `PUBLISHED`, or of a backbone folder.

    A folder without identity encoder counts with that of PhotoMaker-V2.

    Raises:
        UserError: there is no such backbone, its configurations cannot be read, or it is of
            CogVideoX 1.5.
    """
    clip, perceiver = CLIP_VIT_L14, ID_PERCEIVER_V2
    name, folder = str(backbone), Path(backbone)
    if name in PUBLISHED:
        transformer, vae = PUBLISHED[name]
        text: Mapping[str, Any] = T5_XXL_ENCODER
    elif folder.is_dir():
        name = folder.name
        transformer, vae, text = (
            load_json(folder / part / "config.json")
            for part in ("transformer", "vae", "text_encoder")
        )
        check_transformer(transformer, str(folder))
        if (folder / IDENTITY_FOLDER).is_dir():
            clip = load_json(folder / IDENTITY_FOLDER / "vision_model" / "config.json")
            described = folder / IDENTITY_FOLDER / IDENTITY_DESCRIPTION
            perceiver = load_json(described).get("perceiver", {})
            if not perceiver:
                raise UserError(f"{described} says no sizes of a perceiver: restore the file.")
    else:
        raise UserError(
            f"{name} is no backbone folder and none of {', '.join(PUBLISHED)}: name one of these."
        )
    try:
        return _built(name, transformer, vae, text, clip, perceiver)
    except Exception as error:  # a configuration may be wrong in as many ways as there are
        raise UserError(
            f"{name}: its configurations make no CogVideoX with an identity encoder "
            f"({first_line(error)}): fetch the folder again."
        ) from error


def _built(name: str, *configs: Mapping[str, Any]) -> Networks:
    from diffusers import AutoencoderKLCogVideoX
    from transformers import T5Config, T5EncoderModel

    transformer, vae, text, clip, perceiver = map(_plain, configs)
    with torch.device("meta"):
        model = MagicMirrorTransformer3DModel.from_config(transformer)
        decoder = AutoencoderKLCogVideoX.from_config(vae)
        encoder = T5EncoderModel(T5Config(**text))
    return Networks(name, model, decoder, encoder, *meta_parts(clip, perceiver))


def _plain(config: Mapping[str, Any]) -> Keywords:
    """A configuration without what only says who wrote it."""
    return {name: value for name, value in config.items() if not name.startswith("_")}
