"""Rotary position tables for a latent grid, as CogVideoX's pipeline lays them out.

Kept apart from the pipeline so that training needs no pipeline import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import Tensor

from mm_model.nn.parts import Keywords


def crop_region(
    grid: tuple[int, int], base: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Region of the base grid (height, width) that a grid of another aspect covers, centred."""
    height, width = grid
    base_height, base_width = base
    if height / width > base_height / base_width:
        new = (base_height, round(base_height / height * width))
    else:
        new = (round(base_width / width * height), base_width)
    top, left = round((base_height - new[0]) / 2.0), round((base_width - new[1]) / 2.0)
    return (top, left), (top + new[0], left + new[1])


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
    shape: Keywords = {
        "crops_coords": crop_region(grid, base),
        "temporal_size": latent_frames,
    }
    if p_t is not None:
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
