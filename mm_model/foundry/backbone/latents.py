"""Latents of the render cache, encoded once with the finished VAE and kept beside it.

Pictures are encoded as single frames, clips as clips; values are the posterior means times the
scaling factor, float16 on disk. A cache of another VAE is rebuilt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mm_model.foundry.backbone import folded, pixels, render
from mm_model.foundry.backbone.recipe import digest
from mm_model.progress import each
from mm_model.store import atomic

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX


@dataclass(frozen=True)
class Latents:
    """pictures: float16 [N, 1, C, 8, 8]; clips: float16 [K, 3, C, 8, 8]; scaled, DiT layout."""

    pictures: np.ndarray
    clips: np.ndarray
    digest: str


@torch.no_grad()
def encode_cache(
    vae: AutoencoderKLCogVideoX, vae_digest: str, cache: Path, folder: Path
) -> Latents:
    """Encode what the render cache holds; `vae_digest` names the weights."""
    frames = render.open_cache(cache)
    name = digest({"vae": vae_digest, "cache": frames.digest})
    mark = folder / "latents.json"
    if not mark.is_file() or json.loads(mark.read_text())["digest"] != name:
        folder.mkdir(parents=True, exist_ok=True)
        pictures, clips = frames["pictures"], frames["clips"]
        parts = []
        for start in each(range(0, len(pictures), 64), -(-len(pictures) // 64), "encode pictures"):
            part = pixels.to_tensor(pictures[start : start + 64])[:, :, None]
            parts.append(_encode(vae, part))
        _save(folder / "pictures.npy", np.concatenate(parts))
        parts = []
        for start in each(range(0, len(clips), 8), -(-len(clips) // 8), "encode clips"):
            parts.append(_encode(vae, pixels.clip_tensor(clips[start : start + 8])))
        _save(folder / "clips.npy", np.concatenate(parts))
        atomic.write_json(mark, {"digest": name})
    return open_latents(folder)


def _encode(vae: AutoencoderKLCogVideoX, video: torch.Tensor) -> np.ndarray:
    means = folded.encode_moments(vae, video).chunk(2, dim=1)[0]
    return (means * vae.config.scaling_factor).movedim(2, 1).half().numpy()


def open_latents(folder: Path) -> Latents:
    """The encoded cache of `folder`."""
    name = json.loads((folder / "latents.json").read_text())["digest"]
    arrays = (np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in ("pictures", "clips"))
    return Latents(*arrays, name)


def _save(path: Path, array: np.ndarray) -> None:
    with atomic.written_aside(path) as aside:
        np.save(aside, array)
