"""Latents of the render cache, encoded once with the finished VAE and kept beside it.

Pictures are encoded as single frames, clips as clips; values are the posterior means times the
scaling factor, float16 on disk. A cache of another VAE is rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mm_model.embedded.training.backbone import pixels, render
from mm_model.embedded.training.backbone.recipe import digest
from mm_model.errors import UserError
from mm_model.nn.cogvideox import folded_vae
from mm_model.progress import each
from mm_model.run.pools.port import whole
from mm_model.run.pools.table import open_pool
from mm_model.store import atomic, documents, sealed

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX


PICTURE_STRIDE = 2
"""Every second picture is encoded: the DiT sees a person five times instead of ten."""

_MARK = "latents.json"
_BATCH = {"pictures": 64, "clips": 8}
Job = tuple[str, Path, int]
"""What to encode: kind, render cache, first index."""


@dataclass(frozen=True)
class LatentCache:
    """pictures: float16 [N, 1, C, 8, 8]; clips: float16 [K, 3, C, 8, 8]; scaled, DiT layout.

    Picture i is number `i * PICTURE_STRIDE` of the render cache.
    """

    pictures: np.ndarray
    clips: np.ndarray
    digest: str


def encode_cache(
    vae: AutoencoderKLCogVideoX, vae_digest: str, cache: Path, folder: Path, processes: int = 1
) -> LatentCache:
    """Encode what the render cache holds; `vae_digest` names the weights."""
    frames = render.open_cache(cache)
    name = digest({"vae": vae_digest, "cache": frames.digest, "stride": PICTURE_STRIDE})
    if flaw := sealed.flaw_once(folder, name):
        if (folder / _MARK).exists():
            print(f"{folder} {flaw}: it is encoded afresh", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        for kind, batch in _BATCH.items():
            count = len(_source(frames, kind))
            jobs = [(kind, cache, start) for start in range(0, count, batch)]
            parts = list(each(_encoded(vae, jobs, processes), len(jobs), f"encode {kind}"))
            with atomic.written_aside(folder / f"{kind}.npy") as aside:
                np.save(aside, np.concatenate(parts))
        atomic.write_json(folder / _MARK, {"digest": name})
        sealed.seal(folder, name)
    return open_latents(folder)


def _source(frames: render.Cache, kind: str) -> np.ndarray:
    return frames["pictures"][::PICTURE_STRIDE] if kind == "pictures" else frames["clips"]


def _encoded(vae: AutoencoderKLCogVideoX, jobs: list[Job], processes: int) -> Iterator[np.ndarray]:
    """Encoded batches in order, by this process or by single-threaded ones with copies of `vae`."""
    alone = processes == 1
    start = (lambda: vae) if alone else partial(_started, vae)
    with closing(open_pool(start, 0 if alone else processes)) as pool:
        yield from whole(pool.map(_encode, jobs), "An encoding process ended early: run it again.")


@torch.no_grad()
def _encode(vae: AutoencoderKLCogVideoX, job: Job) -> np.ndarray:
    kind, cache, start = job
    frames = _source(render.open_cache(cache), kind)[start : start + _BATCH[kind]]
    video = pixels.clip_tensor(frames[:, None] if kind == "pictures" else frames)
    means = folded_vae.encode_moments(vae, video).chunk(2, dim=1)[0]
    return (means * vae.config.scaling_factor).movedim(2, 1).half().numpy()


def _started(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    torch.set_num_threads(1)
    return vae


def open_latents(folder: Path) -> LatentCache:
    """The encoded cache of `folder`; `UserError` when it is not there or damaged."""
    mend = "run `make weights` again, which encodes it afresh"
    if not (folder / _MARK).is_file():
        raise UserError(f"{folder} holds no encoded cache: {mend}.")
    name = documents.read(folder / _MARK, mend).get("digest")
    if flaw := sealed.flaw_once(folder, name):
        raise UserError(f"{folder} {flaw}: {mend}.")
    pictures, clips = (
        np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in ("pictures", "clips")
    )
    return LatentCache(pictures, clips, name)
