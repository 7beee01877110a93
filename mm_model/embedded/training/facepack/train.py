"""Entry points of the face pack's training: the detector, a recogniser, the finished pack.

Each is resumable and seeded; called by ``python -m mm_model.embedded.training``. Trains on people
of the ranges it is told and refuses ranges that the split does not give to weights or judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mm_model.embedded.people import people as world_people
from mm_model.embedded.people import split
from mm_model.embedded.training.facepack import faces, photo_cache, resumable, scenes
from mm_model.embedded.training.facepack.detector import Detector
from mm_model.embedded.training.facepack.detector_loss import detector_loss
from mm_model.embedded.training.facepack.margin import MarginHead
from mm_model.embedded.training.facepack.photo_cache import Photos
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.store.atomic import Document

RECOGNIZER_A: Mapping[str, Any] = {
    "width": 128,
    "channels": [16, 40, 80, 112],
    "blocks": [1, 1, 1, 1],
    "stem_stride": 2,
}
"""Architecture of the conditioning and pipeline recogniser (0.55 M parameters)."""

RECOGNIZER_B: Mapping[str, Any] = {
    "width": 128,
    "channels": [16, 24, 48, 96],
    "blocks": [1, 2, 2, 2],
    "stem_stride": 2,
}
"""Architecture of the judge: deeper and narrower. With people and a seed of its own it errs in its
own way."""


def _may_train(people: range) -> None:
    owners = {split.split_of(people[0]), split.split_of(people[-1])}
    if not owners <= {"weights", "judge"} or len(owners) != 1:
        raise ValueError(
            f"people {people.start}..{people.stop - 1} are not for weights: take them from "
            "split.WEIGHTS_PEOPLE or split.JUDGE_PEOPLE"
        )


def _source(photos: Photos, people: range) -> Document:
    """What the photographs are, for the recipe: a change of any of it is another training."""
    return {
        "people": [people.start, people.stop],
        "photographs": list(photos.images.shape[:3]),
        "renderer": photo_cache.renderer_digest(),
    }


def network_input(images: np.ndarray, half: float) -> torch.Tensor:
    """uint8 RGB [N, H, W, 3] as float32 [N, 3, H, W], (pixel - 127.5) / half, channels last."""
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return ((tensor - 127.5) / half).contiguous(memory_format=torch.channels_last)


def train_detector(
    out: Path,
    *,
    seed: int = 11,
    steps: int = 1200,
    threads: int = 1,
    resume: bool = True,
    people: range = split.WEIGHTS_PEOPLE,
    photos: Photos | None = None,
    batch: int = 32,
    stop_after: int | None = None,
) -> tuple[Detector, Document]:
    """Train the detector on rendered scenes; checkpoints in ``out / "detector"``.

    ``photos`` default to the cache below ``out``. Returns the detector in evaluation mode and its
    record (recipe, people, last losses). Raises ``ValueError`` for people of another split.
    """
    _may_train(people)
    photos = photos or photo_cache.photos(out, people)
    model = resumable.seeded(seed, Detector)
    note = {"network": "detector", **_source(photos, people)}
    recipe = resumable.NetworkRecipe(seed, steps, batch, rate=3e-3, threads=threads, note=note)

    def losses(batch: Any, progress: float) -> dict[str, torch.Tensor]:
        images, targets = batch
        height, width = images.shape[1:3]
        return detector_loss(model.raw(network_input(images, 128.0)), targets, height, width)

    last = resumable.train(
        model,
        recipe,
        lambda rng: scenes.batch(photos, rng, batch),
        losses,
        out / "detector",
        label="detector",
        resume=resume,
        stop_after=stop_after,
    )
    return model.eval(), {**resumable.describe(recipe), "last_losses": last}


def train_recognizer(
    out: Path,
    *,
    people: range,
    seed: int,
    steps: int = 1200,
    threads: int = 1,
    resume: bool = True,
    name: str = "recognizer",
    architecture: Mapping[str, Any] = RECOGNIZER_A,
    photos: Photos | None = None,
    batch: int = 64,
    stop_after: int | None = None,
) -> tuple[FaceRecognizer, Document]:
    """Train one recogniser on aligned photographs of ``people``; checkpoints in ``out / name``.

    Returns the recogniser in evaluation mode and its record. Raises ``ValueError`` for people
    that the split gives to nobody's weights.
    """
    _may_train(people)
    photos = photos or photo_cache.photos(out, people)
    traits = np.stack([world_people.person(int(s)).vector() for s in photos.seeds])
    known = torch.from_numpy(traits)

    def build() -> nn.Module:
        net = FaceRecognizer(**architecture)
        head = MarginHead(net.width, len(photos.seeds), traits.shape[1])
        return nn.ModuleDict({"net": net, "head": head})

    model = resumable.seeded(seed, build)
    note = {"network": name, "architecture": architecture, **_source(photos, people)}
    recipe = resumable.NetworkRecipe(
        seed, steps, batch, rate=2e-3, threads=threads, note=note, weight_decay=0.05
    )

    def losses(batch: Any, progress: float) -> dict[str, torch.Tensor]:
        images, rows = batch
        who = torch.from_numpy(rows)
        embeddings = model["net"].embed(network_input(images, 127.5))
        return model["head"](embeddings, who, known[who], ease=min(1.0, progress / 0.4))

    last = resumable.train(
        model,
        recipe,
        lambda rng: faces.batch(photos, rng, batch),
        losses,
        out / name,
        label=name,
        resume=resume,
        stop_after=stop_after,
    )
    return model["net"].eval(), {**resumable.describe(recipe), "last_losses": last}
