"""Rotary position tables for a latent grid, as CogVideoX's pipeline lays them out.

Kept apart from the pipeline: diffusers' module of it (0.7 s beside what training has loaded) is
imported with the first table, not with the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import Tensor

from mm_model.nn.parts import Keywords


def rotary_table(
    config: Mapping[str, Any],
    latent_frames: int,
    latent_height: int,
    latent_width: int,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor] | None:
    """cos, sin `[V, head_dim]` for a latent grid, or None where the base uses other positions."""
    if not config["use_rotary_positional_embeddings"]:
        return None
    p, p_t = config["patch_size"], config["patch_size_t"]
    grid = (latent_height // p, latent_width // p)
    base = (config["sample_height"] // p, config["sample_width"] // p)
    if p_t is None:
        from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid

        shape: Keywords = {
            "crops_coords": get_resize_crop_region_for_grid(grid, base[1], base[0]),
            "temporal_size": latent_frames,
        }
    else:
        steps = (latent_frames + p_t - 1) // p_t
        shape = {
            "crops_coords": None,
            "temporal_size": steps,
            "grid_type": "slice",
            "max_size": base,
        }
    return get_3d_rotary_pos_embed(
        embed_dim=config["attention_head_dim"], grid_size=grid, device=device, **shape
    )
