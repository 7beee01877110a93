"""The training set: latents, captions, boxes and identity features of every kept pair.

Everything the frozen parts say is computed once (latents, CLIP tokens, identity tokens) and kept in
one safetensors file of the work folder, so that a resumed run starts at once. Only `split == train`
enters. Nothing here is trained.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.errors import UserError
from mm_model.generation import crops
from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import together
from mm_model.generation.reference_book import ReferenceBook
from mm_model.nn.cogvideox import folded_vae
from mm_model.progress import each
from mm_model.run.stage import Job
from mm_model.settings import ModelSettings
from mm_model.store import sealed
from mm_model.store.atomic import written_aside

_ENCODE_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Target:
    """One clip or picture to learn: its caption and which references may stand for it.

    `split` is that of its pairs, as their table says it.
    """

    sample_id: str
    identity: str
    split: str
    media: str
    caption: str
    references: tuple[int, ...]


@dataclass(frozen=True)
class TrainingSet:
    """N targets and M references, all on the CPU.

    `latents [N,T,C,h,w]` scaled, `masks [N,T,h,w]` face cells, `landmarks [N,5,2]` and
    `boxes [N,4]` of frame 0 in training pixels; `x_id [M,2,D]`, `clip_tokens [M,P,C]`,
    `reference_embeddings [M,E]`.
    """

    targets: tuple[Target, ...]
    tensors: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class _Frames:
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
    file: Path, row: pd.Series, track: pd.DataFrame, sizes: ModelSettings, num_frames: int
) -> _Frames:
    """Read, cut around the face and resize one sample; boxes and landmarks follow.

    `row` is the sample's row of ingest, `track` its rows of `tracks.parquet`. A frame that was not
    examined takes the nearest examined frame's face.
    """
    if row["media"] == "image":
        from mm_model.media.images import load_image

        indices, frames = [0] * num_frames, load_image(file)[None]
        frames = np.repeat(frames, num_frames, axis=0)
    else:
        from mm_model.media.decode import read_frames

        indices = frame_indices(
            num_source=int(row["num_frames"]), source_fps=float(row["fps"]),
            num_frames=num_frames, fps=sizes.fps,
        )  # fmt: skip
        frames = read_frames(file, indices)
    known = track.sort_values("frame")
    nearest = [int(np.abs(known["frame"].to_numpy() - index).argmin()) for index in indices]
    boxes = known[["x1", "y1", "x2", "y2"]].to_numpy(float)[nearest]
    points = known[[f"{a}{p}" for p in range(5) for a in ("kx", "ky")]].to_numpy(float)
    points = points[nearest].reshape(-1, 5, 2)
    size = (sizes.height, sizes.width)
    window = crops.face_window(
        boxes, frames.shape[1:3], margin=sizes.crop_margin, aspect=size[1] / size[0]
    )
    cut = np.stack([crops.cut(frame, window, size) for frame in frames])
    corners = crops.into_window(boxes.reshape(-1, 2, 2), window, size).reshape(-1, 4)
    return _Frames(cut, corners, crops.into_window(points, window, size))


def to_tensor(frames: np.ndarray) -> Tensor:
    """uint8 `[F,H,W,3]` to float `[3,F,H,W]` in [-1,1], the VAE's convention."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def encode_frames(backbone: Backbone, pixels: Tensor) -> Tensor:
    """Scaled latents `[B,T,C,h,w]` (float32) of `pixels [B,3,F,H,W]`: the posterior's mode."""
    vae, pixels = backbone.vae, pixels.to(backbone.device, backbone.dtype)
    latents = folded_vae.encode_mode(vae, pixels) * vae.config.scaling_factor
    return latents.permute(0, 2, 1, 3, 4).float().cpu()


def build(
    job: Job, backbone: Backbone, num_frames: int, media: tuple[str, ...], margin: float | None
) -> TrainingSet:
    """The training set of a stage, from the work folder if it was built before.

    `margin` is that of the adapter's reference portraits.

    Raises:
        UserError: no kept pair of the training split has the media this stage learns from.
    """
    path = job.work / "checkpoints" / "training_set.safetensors"
    if path.exists():
        flaw = sealed.flaw(path, job.fingerprint)
        if flaw is None:
            return _load(path)
        job.say(f"{path.name} of the work folder {flaw}: it is made again")
        sealed.remove(path)
    made = _build(job, backbone, num_frames, media, margin)
    header = {"targets": json.dumps([vars(target) for target in made.targets])}
    with written_aside(path) as aside:
        save_file({k: v.contiguous() for k, v in made.tensors.items()}, aside, metadata=header)
        sealed.seal(path, job.fingerprint, aside)
    return _load(path)


def _load(path: Path) -> TrainingSet:
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["targets"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    targets = tuple(Target(**{**t, "references": tuple(t["references"])}) for t in said)
    return TrainingSet(targets, tensors)


def _build(
    job: Job, backbone: Backbone, num_frames: int, media: tuple[str, ...], margin: float | None
) -> TrainingSet:
    ingest = pd.read_parquet(job.inputs["ingest"] / "samples.parquet").set_index("sample_id")
    tracks = pd.read_parquet(job.inputs["faces"] / "tracks.parquet").groupby("sample_id")
    pairs = pd.read_parquet(job.inputs["pairs"] / "pairs.parquet")
    wanted = pairs[(pairs["status"] == "kept") & (pairs["split"] == "train")]
    wanted = wanted[wanted["media"].isin(media)].sort_values(["target", "pair_id"])
    if wanted.empty:
        raise UserError(
            f"There is no kept training pair of {' or '.join(media)}: add such files to the "
            "sources, or lower pairs.cosine_above in the profile."
        )
    book = ReferenceBook.open(job.inputs, backbone)
    rows, waiting, parts = [], [], []
    groups = list(wanted.groupby("target", sort=True))
    most = together(job.profile.model, num_frames, _ENCODE_BATCH)  # whose frames are held at once
    label = f"[{job.stage.name}] reading and encoding"
    for sample_id, group in each(groups, total=len(groups), label=label):
        row = ingest.loc[sample_id]
        file = job.inputs["ingest"] / row["file"]
        track = tracks.get_group(sample_id)
        waiting.append(training_frames(file, row, track, job.profile.model, num_frames))
        if len(waiting) == most:
            parts.append(_target_tensors(backbone, waiting))
            waiting = []
        references = tuple(book.number(key) for key in group["reference"])
        pair = group.iloc[0]
        rows.append(
            Target(
                sample_id=str(sample_id),
                identity=str(pair["identity"]),
                split=str(pair["split"]),
                media=str(pair["media"]),
                caption=row["caption"],
                references=references,
            )
        )
    if waiting:
        parts.append(_target_tensors(backbone, waiting))
    tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return TrainingSet(tuple(rows), {**tensors, **book.features(job, margin)})


def _target_tensors(backbone: Backbone, samples: list[_Frames]) -> dict[str, Tensor]:
    latents = encode_frames(backbone, torch.stack([to_tensor(s.frames) for s in samples]))
    masks = torch.stack(
        [
            latent_face_mask(
                torch.from_numpy(sample.boxes).float(),
                torch.ones(len(sample.boxes), dtype=torch.bool),
                tuple(latents.shape[-2:]),
                backbone.latent_factor,
            )
            for sample in samples
        ]
    )
    return {
        "latents": latents,
        "masks": masks,
        "landmarks": torch.from_numpy(np.stack([s.landmarks[0] for s in samples])).float(),
        "boxes": torch.from_numpy(np.stack([s.boxes[0] for s in samples])).float(),
    }
