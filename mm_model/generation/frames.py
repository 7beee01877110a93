"""From a sample's file to frames of the training size, and from frames to latents.

Training, evaluation and the controls read a clip by these functions and no other, so that what is
compared was cut alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mm_model.generation import crops
from mm_model.generation.backbone import Backbone
from mm_model.media.terms import BORDERS
from mm_model.nn.cogvideox import folded_vae
from mm_model.settings import ModelSettings

_POINTS = tuple(f"{axis}{point}" for point in range(5) for axis in ("kx", "ky"))

SAMPLE_COLUMNS = ("file", "media", "num_frames", "fps", "caption", "framing")
"""What is read of a sample's row of ingest to show or learn it."""

TRACK_COLUMNS = ("frame", "x1", "y1", "x2", "y2", "score", *_POINTS)
"""What is read of a sample's rows of `tracks.parquet`."""


@dataclass(frozen=True)
class TrainingFrames:
    """One sample at the training size, with its face in every frame."""

    frames: np.ndarray  # [F,H,W,3] uint8, training size
    boxes: np.ndarray  # [F,4] training pixels, NaN where no face
    landmarks: np.ndarray  # [F,5,2]


def frame_indices(*, num_source: int, source_fps: float, num_frames: int, fps: int) -> list[int]:
    """Source frames that give `num_frames` at `fps`, from the middle of the clip.

    Steps are slowed down to fit a short clip; a source with too few frames repeats its last one.
    """
    stride = max(1.0, source_fps / fps)
    if num_frames > 1:
        stride = min(stride, max(1.0, (num_source - 1) / (num_frames - 1)))
    start = max(0, int((num_source - 1 - stride * (num_frames - 1)) / 2))
    return [min(num_source - 1, round(start + stride * k)) for k in range(num_frames)]


def training_frames(
    file: Path, row: Mapping[str, Any], track: pd.DataFrame, sizes: ModelSettings, num_frames: int
) -> TrainingFrames:
    """Read, cut around the face and resize one sample; boxes and landmarks follow.

    `row` is the sample's row of ingest, `track` its rows of `tracks.parquet`. A frame that was not
    examined takes the nearest examined frame's face. Where the row's `framing` is `borders`, the
    whole picture is shown instead, between black borders (the paper's squared portraits).
    """
    if row["media"] == "image":
        from mm_model.media.images import load_image

        indices, frames = [0] * num_frames, load_image(file)[None]
        frames = np.repeat(frames, num_frames, axis=0)
    else:
        from mm_model.media.decode import read_frames

        indices = frame_indices(
            num_source=int(row["num_frames"]),
            source_fps=float(row["fps"]),
            num_frames=num_frames,
            fps=sizes.fps,
        )
        frames = read_frames(file, indices)
    known = track.sort_values("frame")
    nearest = [int(np.abs(known["frame"].to_numpy() - index).argmin()) for index in indices]
    boxes = known[["x1", "y1", "x2", "y2"]].to_numpy(float)[nearest]
    points = known[list(_POINTS)].to_numpy(float)[nearest].reshape(-1, 5, 2)
    size = (sizes.height, sizes.width)
    aspect, whole = size[1] / size[0], row.get("framing") == BORDERS
    if whole:
        window = crops.whole_window(frames.shape[1:3], aspect=aspect)
    else:
        window = crops.face_window(
            boxes, frames.shape[1:3], margin=sizes.crop_margin, aspect=aspect
        )
    cut = np.stack([crops.cut(frame, window, size, black=whole) for frame in frames])
    corners = crops.into_window(boxes.reshape(-1, 2, 2), window, size).reshape(-1, 4)
    return TrainingFrames(cut, corners, crops.into_window(points, window, size))


def to_tensor(frames: np.ndarray) -> Tensor:
    """uint8 `[F,H,W,3]` to float `[3,F,H,W]` in [-1,1], the VAE's convention."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def encode_frames(backbone: Backbone, pixels: Tensor) -> Tensor:
    """Scaled latents `[B,T,C,h,w]` (float32) of `pixels [B,3,F,H,W]`: the posterior's mode."""
    vae, pixels = backbone.vae, pixels.to(backbone.device, backbone.dtype)
    latents = folded_vae.encode_mode(vae, pixels) * vae.config.scaling_factor
    return latents.permute(0, 2, 1, 3, 4).float().cpu()
