"""A short training of an adapter in one process: the loss of stage 1, all randomness by the step.

It shares model, batches and loss with the stages. It has no checkpoints and no identity loss: a
figure is made of many short runs, each of which is repeated whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mm_model.diffusion.objective import velocity_loss
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.injection.port import Wanted
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from mm_model.precompute.sample import TrainingSample
from mm_model.reproduce.people import MARGIN, empty_text
from mm_model.settings import TrainSettings
from mm_model.train.batches import Batch, BatchMaker
from mm_model.train.loading import Drawn
from mm_model.train.randomness import generator_of

_BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class Course:
    """`steps` updates of `batch` samples at a constant `rate` (AdamW, no decay) after `warmup`."""

    steps: int
    batch: int
    rate: float
    warmup: int = 20

    def at(self, step: int) -> float:
        """The learning rate of a step, counted from 1."""
        return self.rate * min(1.0, step / max(1, self.warmup))


def fresh_pair(backbone: Backbone, seed: int, use_can: bool) -> MagicMirrorAdapter:
    """A new adapter in the backbone, with CAN or without; all they share begins alike."""
    encoder = backbone.identity_encoder
    whole = MagicMirrorAdapter.fresh(
        backbone.transformer,
        encoder,
        Wanted(
            preset="tiny",
            attention="joint",
            ca_out_proj="shared",
            face_perceiver="id_perceiver",
            reference_margin=MARGIN,
            backbone_id=backbone.folder.name,
        ),
        seed=seed,
        dtype=torch.float32,
    )
    if use_can:
        return whole
    config = adapter_config(
        "tiny",
        backbone.transformer.config,
        encoder.clip_dim,
        encoder.id_dim,
        reference_margin=MARGIN,
        use_can=False,
    )
    without = MagicMirrorAdapter.create(backbone.transformer, config, seed, dtype=torch.float32)
    shared = whole.state_dict()
    without.load_state_dict({name: shared[name] for name in without.state_dict()})
    return without


class Lesson:
    """The batches of one training: functions of seed and step, whatever model learns from them."""

    def __init__(
        self,
        backbone: Backbone,
        samples: Sequence[TrainingSample],
        rules: TrainSettings,
        batch: int,
        seed: int,
    ) -> None:
        if not samples:
            raise UserError("There is nobody to learn from: ask for at least one person.")
        self._samples, self._batch, self._seed = samples, batch, seed
        self._maker = BatchMaker(
            settings=rules,
            seed=seed,
            schedule=backbone.schedule,
            scaling=backbone.vae.config.scaling_factor,
            empty_text=empty_text(backbone),
        )

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 1."""
        draw = torch.randint(
            len(self._samples), (self._batch,), generator=generator_of(self._seed, step, "who")
        ).tolist()
        samples = tuple(self._samples[one] for one in draw)
        return self._maker.batch(step, [Drawn(0, tuple(map(str, draw)), samples)])


def learn(
    model: MagicMirrorModel,
    backbone: Backbone,
    lesson: Lesson,
    course: Course,
    watch: Callable[[int], None] = lambda step: None,
) -> str:
    """Train `model`; `watch` is called at step 0 and after each step. Returns the digest of the
    batches: equal for two models that saw the same.

    Raises:
        UserError: the loss is not finite.
    """
    parameters = list(model.trained_parameters().values())
    optimizer = torch.optim.AdamW(parameters, lr=course.rate, betas=_BETAS, weight_decay=0.0)
    seen = hashlib.sha256()
    watch(0)
    for step in range(1, course.steps + 1):
        batch = lesson.at(step)
        for tensor in (batch.clean, batch.noise, batch.timestep, batch.features.x_id):
            seen.update(tensor.numpy().tobytes())
        for group in optimizer.param_groups:
            group["lr"] = course.at(step)
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(model, backbone, batch)
        if not bool(torch.isfinite(loss)):
            raise UserError(f"The loss is not finite at step {step}: lower the learning rate.")
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        model.adapter.project()
        watch(step)
    return seen.hexdigest()


def _loss(model: MagicMirrorModel, backbone: Backbone, batch: Batch) -> Tensor:
    noisy = backbone.schedule.add_noise(batch.clean, batch.noise, batch.timestep)
    predicted = model(
        noisy,
        batch.timestep,
        text_embeds=batch.text_embeds,
        text_mask=batch.text_mask,
        features=batch.features,
        drop_identity=batch.drop_identity,
    )
    target = backbone.schedule.velocity(batch.clean, batch.noise, batch.timestep)
    return velocity_loss(predicted, target, batch.masks, batch.face_loss).loss
