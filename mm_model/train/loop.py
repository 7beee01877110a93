"""The training loop of both stages: one step readable from top to bottom.

L = |v_hat - v|^2 on a region drawn per sample + lambda * identity loss (paper, section 3.3). Only
the adapter's tensors move: they, their gradients and the optimiser's state are float32 whatever the
backbone computes in. Accelerate places; this file owns nothing but the arithmetic.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn

from mm_model.diffusion.identity_loss import identity_loss, select_samples
from mm_model.diffusion.objective import velocity_loss
from mm_model.errors import UserError
from mm_model.nn.adapter import MagicMirrorAdapter
from mm_model.nn.model import MagicMirrorModel
from mm_model.settings import TrainSettings
from mm_model.train import state
from mm_model.train.backbone import Backbone
from mm_model.train.batches import Batch, BatchMaker
from mm_model.train.dataset import TrainingSet
from mm_model.train.gradients import never_reached, require_gradient, require_masters

Log = Callable[[dict[str, float], int], None]
Watch = Callable[[int], None]

_EARLY = 10
"""Steps after which a run says early which trained tensors nothing has reached yet."""


@dataclass(frozen=True)
class Losses:
    """Terms of one step; `cosine` is None when no sample qualified for the identity loss."""

    total: Tensor
    velocity: float
    identity: float
    cosine: float | None


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then cosine decay to `final_lr_share` of the peak; `step` counts from 1."""
    if step <= settings.warmup_steps:
        return settings.learning_rate * step / max(1, settings.warmup_steps)
    span = max(1, settings.steps - settings.warmup_steps)
    progress = min(1.0, (step - settings.warmup_steps) / span)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    low = settings.final_lr_share
    return settings.learning_rate * (low + (1 - low) * cosine)


def optimizer_of(parameters: dict[str, nn.Parameter], settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only; ValueError unless all are float32."""
    require_masters(parameters)
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas)


class Trainer:
    """Holds model, data and optimiser of one stage; `run` trains from the newest checkpoint on."""

    def __init__(
        self,
        backbone: Backbone,
        adapter: MagicMirrorAdapter,
        data: TrainingSet,
        settings: TrainSettings,
        seed: int,
        fingerprint: str,
        checkpoints: Path,
    ) -> None:
        self.backbone, self.settings, self.data = backbone, settings, data
        self.fingerprint, self.checkpoints = fingerprint, checkpoints
        self.schedule = backbone.schedule
        self.batches = BatchMaker(data, backbone, settings, seed, self.schedule)
        self.adapter = adapter
        model = MagicMirrorModel(backbone.transformer, adapter)
        if settings.gradient_checkpointing:
            backbone.transformer.enable_gradient_checkpointing()
        self.parameters = model.trained_parameters()
        self.optimizer = optimizer_of(self.parameters, settings)
        # Said here, because Accelerate otherwise takes both from the environment.
        self.accelerator = Accelerator(
            cpu=backbone.device.type == "cpu",
            mixed_precision="no",
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
        self.model = self.accelerator.prepare_model(model)
        self.curve: list[dict] = []
        self._proven: set[str] = set()

    def losses(self, batch: Batch, step: int) -> Losses:
        """Velocity loss on the drawn regions plus, from its first step on, the identity loss."""
        device, dtype = self.backbone.device, self.backbone.dtype
        clean, noise = batch.clean.to(device), batch.noise.to(device)
        timestep = batch.timestep.to(device)
        noisy = self.schedule.add_noise(clean, noise, timestep)
        predicted = self.model(
            noisy.to(dtype),
            timestep,
            batch.text_embeds.to(device, dtype),
            batch.text_mask.to(device),
            batch.features.to(device, dtype),
            batch.drop_identity.to(device),
        )
        target = self.schedule.velocity(clean, noise, timestep)
        velocity = velocity_loss(predicted, target, batch.masks.to(device), batch.face_loss)
        self._prove("velocity", velocity.loss, predicted)
        rules = self.settings
        if rules.identity_loss_weight == 0 or step <= rules.identity_loss_from_step:
            return Losses(velocity.loss, float(velocity.loss.detach()), 0.0, None)
        identity = self._identity(batch, noisy, predicted, timestep)
        if identity.used.any():
            self._prove("identity", identity.loss, predicted)
        total = velocity.loss + rules.identity_loss_weight * identity.loss
        cosine = float(identity.cosine.mean()) if len(identity.cosine) else None
        return Losses(total, float(velocity.loss.detach()), float(identity.loss.detach()), cosine)

    def _prove(self, name: str, term: Tensor, predicted: Tensor) -> None:
        """Once a run: this term of the loss can teach something."""
        if name not in self._proven and torch.is_grad_enabled():
            require_gradient(name, term, predicted)
            self._proven.add(name)

    def unreached(self) -> list[str]:
        """Trained tensors without a gradient so far, but for those that nothing can read."""
        silent = never_reached(self.parameters, self.optimizer)
        return [name for name in silent if name not in self.adapter.unread]

    def _identity(self, batch: Batch, noisy: Tensor, predicted: Tensor, timestep: Tensor):
        tensors = self.data.tensors
        alpha_bar = self.schedule.alpha_bar(timestep)
        usable = select_samples(alpha_bar, ~batch.drop_identity)
        usable &= usable.cumsum(dim=0) <= self.settings.identity_loss_samples
        return identity_loss(
            self.schedule.x0_hat(noisy, predicted, timestep),
            alpha_bar,
            tensors["landmarks"][batch.rows].to(noisy.device),
            tensors["boxes"][batch.rows].to(noisy.device),
            usable,
            batch.reference_embeddings.to(noisy.device),
            self.backbone.vae,
            self.backbone.identity_encoder.recognizer,
        )

    def step(self, step: int) -> dict[str, float | int | None]:
        """One optimiser update; returns the step's row of the curve.

        Raises:
            UserError: the loss or the gradient norm is not finite, or a term of the loss gives no
                gradient; the update was not made.
        """
        rate = learning_rate(step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.losses(self.batches.batch(step), step)
        self.accelerator.backward(losses.total)
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.gradient_clip)
        if not (math.isfinite(float(losses.total.detach())) and math.isfinite(float(norm))):
            raise UserError(
                f"The loss or its gradient is not finite at step {step}; the update was not made "
                f"and the last checkpoint in {self.checkpoints} is intact: lower learning_rate."
            )
        self.optimizer.step()
        self.adapter.project()
        return {
            "step": step,
            "loss": float(losses.total.detach()),
            "loss_velocity": losses.velocity,
            "loss_identity": losses.identity,
            "identity_cosine": losses.cosine,
            "gradient_norm": float(norm),
            "learning_rate": rate,
        }

    def run(
        self, log: Log, watch: Watch, say: Callable[[str], None], keep: Watch | None = None
    ) -> list[dict]:
        """Train to the last step; `watch` is called at step 0 and every `sample_every` steps,
        `keep` at the milestones.
        """
        rules = self.settings
        found = state.restore(
            self.checkpoints, self.fingerprint, self.parameters, self.optimizer, say
        )
        done = found.step if found else 0
        self.curve = found.curve if found else []
        if found:
            say(f"resuming after step {done} of {rules.steps}")
        else:
            watch(0)
        started, spoken = time.monotonic(), done
        for step in range(done + 1, rules.steps + 1):
            row = self.step(step)
            if step % rules.log_every == 0 or step == rules.steps:
                self.curve.append(row)
                seconds = max(time.monotonic() - started, 1e-9)
                rate = (step - spoken) * rules.batch_size / seconds
                started, spoken = time.monotonic(), step
                numbers = {k: v for k, v in row.items() if k != "step" and v is not None}
                log({**numbers, "samples_per_second": rate}, step)
                if step % (rules.log_every * 5) == 0 or step == rules.steps:
                    left = (rules.steps - step) * rules.batch_size / rate
                    say(f"step {step}/{rules.steps}, loss {row['loss']:.4f}, "
                        f"{rate:.1f} samples/s, {left:.0f} s left")  # fmt: skip
            if step == done + _EARLY and (silent := self.unreached()):
                say(f"no gradient so far for {len(silent)} trained tensors: {', '.join(silent)}")
            if keep is not None and step in rules.milestone_steps:
                keep(step)
            if step % rules.sample_every == 0 or step == rules.steps:
                watch(step)
                started, spoken = time.monotonic(), step
            # last, so that a run cut off here makes this step's samples again
            if step % rules.checkpoint_every == 0 and step < rules.steps:
                state.save(self.checkpoints, step, self.fingerprint, self.parameters,
                           self.optimizer, self.curve)  # fmt: skip
        return self.curve
