"""Little memory: one network on the GPU at a time, and pictures that pass the VAE in tiles.

By diffusers' own means. On a CPU the weights lie in the machine's memory as ever, and the tiles
alone save something: what the decoder holds at once.
"""

from __future__ import annotations

from typing import Any

import torch

SAID = {
    "cuda": "low memory: networks wait in the machine's memory and come to the GPU one at a time, "
    "and the VAE works in tiles",
    "cpu": "low memory: on a CPU all weights stay in memory; the VAE works in tiles",
}


def said_of(device: torch.device) -> str:
    """What it does there, for who asked for it."""
    return SAID["cpu" if device.type == "cpu" else "cuda"]


def spare(pipe: Any, device: torch.device) -> None:
    """Make a pipeline of diffusers, loaded on the CPU, work on `device` in little memory."""
    in_tiles(pipe.vae)
    pipe.vae.enable_slicing()
    if has_memory_of_its_own(device):
        pipe.enable_model_cpu_offload(device=device)


def in_tiles(vae: Any) -> None:
    """The VAE takes pictures larger than a tile in tiles: its own where they join without a rest.

    CogVideoX's are half a picture that overlap by a sixth and a fifth. Those of 480 x 720 pixels
    join; those of a small VAE do not, and the library would make frames of another size. Such tiles
    overlap by a quarter.
    """
    vae.enable_tiling()
    if not hasattr(vae, "tile_overlap_factor_height"):
        return  # Stable Diffusion's overlap by a quarter
    factor = vae.tile_sample_min_height // vae.tile_latent_min_height
    sides = (vae.tile_sample_min_height, vae.tile_sample_min_width)
    overlaps = (vae.tile_overlap_factor_height, vae.tile_overlap_factor_width)
    if not all(_join(side, part, factor) for side, part in zip(sides, overlaps, strict=True)):
        height, width = (max(side // (4 * factor), 1) * 4 * factor for side in sides)
        vae.enable_tiling(height, width, 0.25, 0.25)


def _join(side: int, overlap: float, factor: int) -> bool:
    """Whether the step between tiles is as long in pixels as in latent cells."""
    return side - int(side * overlap) == int(side // factor * (1 - overlap)) * factor


def has_memory_of_its_own(device: torch.device) -> bool:
    """Whether weights that are not at work gain something by lying elsewhere."""
    return device.type != "cpu"
