"""The training set: latents, captions, boxes and identity features of every kept pair.

Everything the frozen parts say is computed once (latents, CLIP tokens, identity tokens) and kept in
one safetensors file of the work folder, so that a resumed run starts at once. Only `split == train`
enters. Nothing here is trained.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import Size, together
from mm_model.generation.frames import (
    SAMPLE_COLUMNS,
    TRACK_COLUMNS,
    TrainingFrames,
    encode_frames,
    to_tensor,
    training_frames,
)
from mm_model.generation.reference_book import ReferenceBook
from mm_model.progress import each
from mm_model.run.stage import Job
from mm_model.store import sealed, tables
from mm_model.store.atomic import written_aside
from mm_model.store.lookup import Lookup

_ENCODE_BATCH = 16
_PAIR = ("pair_id", "target", "reference", "identity", "split", "media")


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
    pairs = job.inputs["pairs"] / "pairs.parquet"
    meant = {"status": "kept", "split": "train", "media": media}
    wanted = tables.read(pairs, _PAIR, meant).sort_values(["target", "pair_id"])
    if wanted.empty:
        raise UserError(
            f"There is no kept training pair of {' or '.join(media)}: add such files to the "
            "sources, or lower pairs.cosine_above in the profile."
        )
    ingest = Lookup(job.inputs["ingest"] / "samples.parquet", "sample_id", SAMPLE_COLUMNS)
    tracks = Lookup(job.inputs["faces"] / "tracks.parquet", "sample_id", TRACK_COLUMNS)
    book = ReferenceBook.open(job.inputs, backbone)
    rows, waiting, parts = [], [], []
    groups = wanted.groupby("target", sort=True)
    most = together(
        Size.of(job.profile.model, num_frames), _ENCODE_BATCH
    )  # whose frames are held at once
    label = f"[{job.stage.name}] reading and encoding"
    for sample_id, group in each(groups, total=len(groups), label=label):
        row = ingest.row(str(sample_id))
        file = job.inputs["ingest"] / row["file"]
        track = tracks.rows(str(sample_id)).to_pandas()
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
    return TrainingSet(
        tuple(rows), {**tensors, **book.features(margin, f"[{job.stage.name}] reference batches")}
    )


def _target_tensors(backbone: Backbone, samples: list[TrainingFrames]) -> dict[str, Tensor]:
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
