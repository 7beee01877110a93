"""The last phase: some training steps on the drawn picture, with the real adapter.

One sample, one noise and one timestep at which the identity loss counts, so that the loss can be
compared from step to step. Masters, gradients and moments are float32, as in training.
"""

from __future__ import annotations

import math
import statistics
import time

import torch
from torch import Tensor, nn

from mm_model.diffusion.objective import velocity_loss
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.proving.phases import PROBLEMS
from mm_model.proving.workbench import Workbench
from mm_model.store.atomic import Document
from mm_model.train.identity_loss import identity_loss

_ALPHA_BAR = 0.6
"""At the chosen timestep at least: the identity loss sees samples from 0.5 on."""
_IDENTITY_WEIGHT = 0.1
_DROPPED = 5
"""Every so many steps the identity is dropped, which is what the learned stand-ins learn from."""
_WATCHED = 4096
"""Values of each tensor that are looked at, to tell whether it moved."""

_SHIFT = ".ca.norm_k.bias"
"""One shift of all keys, which a softmax takes away again: only rounding moves it."""


class ProofSteps:
    """Training on the one sample of a workbench."""

    def __init__(self, bench: Workbench) -> None:
        backbone = bench.backbone
        self.bench, self.schedule = bench, backbone.schedule
        self.model = MagicMirrorModel(backbone.transformer, bench.adapter)
        backbone.transformer.enable_gradient_checkpointing()
        self.parameters = self.model.trained_parameters()
        # no decay: a weight that moves was reached by a gradient
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=bench.options.learning_rate, weight_decay=0.0
        )
        usable = (self.schedule.alphas_cumprod >= _ALPHA_BAR).nonzero().flatten()
        self.timestep = usable[-1:].to(bench.device)
        assert bench.latents is not None
        self.clean = bench.latents.to(bench.device, torch.float32)
        dice = torch.Generator().manual_seed(bench.options.seed)
        self.noise = torch.randn(self.clean.shape, generator=dice).to(bench.device)
        recognizer = backbone.identity_encoder.recognizer
        self.recognizer = recognizer if isinstance(recognizer, nn.Module) else None

    def losses(self, dropped: bool) -> tuple[Tensor, float | None]:
        """The loss of one step, and the cosine that the identity loss saw."""
        bench, backbone = self.bench, self.bench.backbone
        assert bench.features is not None
        noisy = self.schedule.add_noise(self.clean, self.noise, self.timestep)
        predicted = self.model(
            noisy.to(bench.dtype),
            self.timestep,
            text_embeds=bench.texts["empty" if dropped else "prompt"],
            text_mask=bench.texts["mask"] & (not dropped),
            features=bench.features.to(bench.device, bench.dtype),
            drop_identity=torch.tensor([dropped], device=bench.device),
        )
        target = self.schedule.velocity(self.clean, self.noise, self.timestep)
        loss = velocity_loss(predicted, target).loss
        if dropped or self.recognizer is None:
            return loss, None
        raw = bench.features.embedding
        assert raw is not None
        found = identity_loss(
            self.schedule.x0_hat(noisy, predicted, self.timestep),
            self.schedule.alpha_bar(self.timestep),
            landmarks=bench.sample.landmarks.to(bench.device),
            boxes=bench.sample.box.to(bench.device),
            valid=torch.ones(1, dtype=torch.bool, device=bench.device),
            reference=raw[:, 0].to(bench.device),
            vae=backbone.vae,
            recognizer=self.recognizer,
        )
        return loss + _IDENTITY_WEIGHT * found.loss, float(found.cosine.mean())

    def step(self, dropped: bool) -> tuple[float, float | None]:
        """One update; returns the loss before it and the cosine."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, cosine = self.losses(dropped)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        self.optimizer.step()
        self.bench.adapter.project()
        return float(loss.detach()), cosine

    def seen(self) -> dict[str, Tensor]:
        """The first values of every trained tensor, as they are now."""
        return {n: p.detach().flatten()[:_WATCHED].clone() for n, p in self.parameters.items()}


def training(bench: Workbench) -> Document:
    """The loss falls, stays finite, and every weight moves."""
    steps = ProofSteps(bench)
    before = steps.seen()
    losses, cosines, seconds = [], [], []
    for number in range(1, bench.options.training_steps + 1):
        started = time.monotonic()
        dropped = number % _DROPPED == 0
        loss, cosine = steps.step(dropped)
        seconds.append(time.monotonic() - started)
        if not dropped:
            losses.append(loss)
        if cosine is not None:
            cosines.append(cosine)
    after = steps.seen()
    read = {name for name in before.keys() - bench.adapter.unread if not name.endswith(_SHIFT)}
    still = sorted(name for name in read if torch.equal(before[name], after[name]))
    problems = [] if all(map(math.isfinite, losses)) else ["the loss is not finite"]
    if still and bench.options.training_steps >= _DROPPED:  # fewer do not reach everything
        problems.append(f"{len(still)} trained tensors did not move (first: {still[0]})")
    return {
        "steps": bench.options.training_steps,
        "timestep": int(steps.timestep),
        "loss_first": losses[0],
        "loss_last": losses[-1],
        "loss_fell": losses[-1] < losses[0],
        "losses": [round(loss, 6) for loss in losses],
        "identity_loss": "computed" if cosines else "left out: no recogniser with a gradient",
        "identity_cosine": [round(cosines[0], 4), round(cosines[-1], 4)] if cosines else None,
        "tensors": len(read),
        "moved": len(read) - len(still),
        "seconds_per_step": round(statistics.median(seconds), 4),
        PROBLEMS: problems,
    }
