"""What training sees of some targets: their latents decoded, and the cells of the face alone.

First row pictures, second row the same with all but the face dimmed; then first and last frames of
clips. What the VAE loses of a face is seen here, before any training.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mm_model.generation.backbone import Backbone
from mm_model.media.sheet import grid, picture_bytes
from mm_model.nn.cogvideox import folded_vae
from mm_model.precompute.names import CLIPS, PICTURES
from mm_model.precompute.sample import TrainingSample
from mm_model.precompute.shards import SamplePlace
from mm_model.store import atomic, tables

NAME = "sheet.jpg"
_SHOWN = 8
_PLACE = ("shard", "offset", "bytes", "digest")


def write(out: Path, backbone: Backbone) -> None:
    """Write `sheet.jpg` of the first samples of both sets that lie in `out`."""
    pictures, clips = (_first(out, name) for name in (PICTURES, CLIPS))
    shown = [(_decoded(backbone, one.mean)[0], one.mask[0]) for one in pictures]
    rows = [[frame for frame, _ in shown], [_dimmed(frame, mask) for frame, mask in shown]]
    if clips:
        films = [_decoded(backbone, one.mean) for one in clips]
        rows += [[film[place] for film in films] for place in (0, -1)]
    height, width = rows[0][0].shape[:2]
    sheet = grid(rows, (height, width), zoom=max(1, 96 // height))
    atomic.write_bytes(out / NAME, picture_bytes(sheet, quality=90))


def _first(out: Path, name: str) -> list[TrainingSample]:
    rows = next(tables.batches(out / f"{name}.parquet", _PLACE, size=_SHOWN), None)
    contents = [SamplePlace.of(row).read(out / name) for row in rows.to_pylist()] if rows else []
    return [TrainingSample.of_bytes(content) for content in contents if content is not None]


@torch.no_grad()
def _decoded(backbone: Backbone, mean: Tensor) -> np.ndarray:
    """Frames uint8 `[F,H,W,3]` of unscaled latents `[T,C,h,w]`."""
    latents = mean.to(backbone.device, backbone.dtype).transpose(0, 1)[None]
    video = folded_vae.decode_best(backbone.vae, latents)[0].float().clamp(-1, 1)
    return ((video + 1) * 127.5).round().byte().permute(1, 2, 3, 0).cpu().numpy()


def _dimmed(frame: np.ndarray, mask: Tensor) -> np.ndarray:
    """The frame `[H,W,3]` with a third of its light where no cell of `mask [h,w]` is."""
    factor = frame.shape[0] // mask.shape[0]
    face = mask.numpy().repeat(factor, axis=0).repeat(factor, axis=1)[..., None]
    return np.where(face, frame, frame // 3).astype(np.uint8)
