"""The training loop of both stages: one step readable from top to bottom.

L = |v_hat - v|^2 on a region drawn per sample + lambda * identity loss (paper, section 3.3). Only
the adapter's tensors move: they, their gradients and the optimiser's state are float32 whatever the
backbone computes in. Accelerate places; this file owns nothing but the arithmetic.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn

from mm_model.diffusion.objective import velocity_loss
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.injection.port import IdentityInjection
from mm_model.settings import TrainSettings
from mm_model.settings.device import is_small
from mm_model.train import state
from mm_model.train.batches import Batch
from mm_model.train.feed import Feed
from mm_model.train.gradients import (
    never_reached,
    require_gradient,
    require_trainable,
)
from mm_model.train.identity_loss import IdentityLoss, identity_loss, select_samples
from mm_model.train.optimizer import optimizer_of
from mm_model.train.pace import Pace
from mm_model.train.shards import ShardSet

Log = Callable[[dict[str, float], int], None]
Watch = Callable[[int], None]

_TOKENS = 1 << 15
"""Tokens of one forward and backward pass; a larger batch goes part by part, gradients add up."""
_FEW_TOKENS = 1 << 12
"""The same on a small GPU."""
_EARLY = 10
"""Steps after which a run says early which trained tensors nothing has reached yet."""


@dataclass(frozen=True)
class Losses:
    """A part's share in the terms of its step, and the `cosine [N]` of the N samples that the
    identity loss sees.
    """

    total: Tensor
    velocity: float
    identity: float
    cosine: Tensor


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then cosine decay to `final_lr_share` of the peak; `step` counts from 1."""
    if step <= settings.warmup_steps:
        return settings.learning_rate * step / max(1, settings.warmup_steps)
    span = max(1, settings.steps - settings.warmup_steps)
    progress = min(1.0, (step - settings.warmup_steps) / span)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    low = settings.final_lr_share
    return settings.learning_rate * (low + (1 - low) * cosine)


class Trainer:
    """Holds model, data and optimiser of one stage; `run` trains from the newest checkpoint on."""

    def __init__(
        self,
        backbone: Backbone,
        adapter: IdentityInjection,
        data: ShardSet,
        settings: TrainSettings,
        *,
        seed: int,
        fingerprint: str,
        checkpoints: Path,
    ) -> None:
        self.backbone, self.settings, self.data = backbone, settings, data
        self.fingerprint, self.checkpoints = fingerprint, checkpoints
        self.schedule = backbone.schedule
        self.feed = Feed(data, backbone, settings, seed)
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
        latent_frames, _, height, width = data.latent_shape
        patches = latent_frames * height * width // backbone.transformer.config.patch_size**2
        tokens = _FEW_TOKENS if is_small(backbone.device) else _TOKENS
        self._together = max(1, tokens // (patches + backbone.text_length))

    def losses(self, batch: Batch, usable: Tensor, share: float, weight: float) -> Losses:
        """The part `batch` of a step: velocity loss on the drawn regions plus identity loss.

        `usable [B]` marks whom the identity loss sees. `share` is the part's share of the step's
        rows, `weight` its share of the identity loss's weights.
        """
        device, dtype = self.backbone.device, self.backbone.dtype
        clean, noise = batch.clean.to(device), batch.noise.to(device)
        timestep = batch.timestep.to(device)
        noisy = self.schedule.add_noise(clean, noise, timestep)
        predicted = self.model(
            noisy.to(dtype),
            timestep,
            text_embeds=batch.text_embeds.to(device, dtype),
            text_mask=batch.text_mask.to(device),
            features=batch.features.to(device, dtype),
            drop_identity=batch.drop_identity.to(device),
        )
        target = self.schedule.velocity(clean, noise, timestep)
        velocity = velocity_loss(predicted, target, batch.masks.to(device), batch.face_loss)
        self._prove("velocity", velocity.loss, predicted)
        total = velocity.loss * share
        said = float(total.detach())
        if not usable.any():
            return Losses(total, said, 0.0, torch.zeros(0))
        identity = self._identity(batch, usable, noisy, predicted, timestep)
        self._prove("identity", identity.loss, predicted)
        term = identity.loss * weight
        total = total + self.settings.identity_loss_weight * term
        return Losses(total, said, float(term.detach()), identity.cosine)

    def _usable(self, batch: Batch, step: int) -> Tensor:
        """`[B]` booleans: whom the identity loss of `step` sees; nobody before its first step."""
        rules = self.settings
        if rules.identity_loss_weight == 0 or step <= rules.identity_loss_from_step:
            return torch.zeros(len(batch), dtype=torch.bool)
        usable = select_samples(self.schedule.alpha_bar(batch.timestep), ~batch.drop_identity)
        return usable & (usable.cumsum(dim=0) <= rules.identity_loss_samples)

    def backward(self, batch: Batch, step: int) -> tuple[float, float, float, float | None]:
        """Add the gradient of the batch to the weights', part by part where it is large.

        Returns the loss, its two terms, and the mean cosine of the samples that the identity loss
        saw, or None.
        """
        usable = self._usable(batch, step)
        weights = torch.where(usable, self.schedule.alpha_bar(batch.timestep), 0.0)
        loss = velocity = identity = 0.0
        cosines = []
        for start in range(0, len(batch), self._together):
            rows = slice(start, start + self._together)
            part = batch.part(rows)
            weight = float(weights[rows].sum() / weights.sum()) if usable[rows].any() else 0.0
            terms = self.losses(part, usable[rows], len(part) / len(batch), weight)
            self.accelerator.backward(terms.total)
            loss += float(terms.total.detach())
            velocity, identity = velocity + terms.velocity, identity + terms.identity
            cosines.append(terms.cosine.cpu())
        cosine = float(torch.cat(cosines).mean()) if usable.any() else None
        return loss, velocity, identity, cosine

    def _prove(self, name: str, term: Tensor, predicted: Tensor) -> None:
        """Once a run: this term of the loss can teach something."""
        if name not in self._proven and torch.is_grad_enabled():
            require_gradient(name, term, predicted)
            self._proven.add(name)

    def unreached(self) -> list[str]:
        """Trained tensors without a gradient so far, but for those that nothing can read."""
        silent = never_reached(self.parameters, self.optimizer)
        return [name for name in silent if name not in self.adapter.unread]

    def _identity(
        self, batch: Batch, usable: Tensor, noisy: Tensor, predicted: Tensor, timestep: Tensor
    ) -> IdentityLoss:
        recognizer = self.backbone.identity_encoder.recognizer
        if recognizer is None:
            raise UserError(
                "The backbone has no recogniser, which the identity loss needs: name a backbone "
                "that has one, or set identity_loss_weight to 0."
            )
        return identity_loss(
            self.schedule.x0_hat(noisy, predicted, timestep),
            self.schedule.alpha_bar(timestep),
            landmarks=batch.landmarks.to(noisy.device),
            boxes=batch.boxes.to(noisy.device),
            valid=usable.to(noisy.device),
            reference=batch.reference_embeddings.to(noisy.device),
            vae=self.backbone.vae,
            recognizer=recognizer,
        )

    def step(self, step: int, batch: Batch) -> dict[str, float | int | None]:
        """One optimiser update on `batch`; returns the step's row of the curve.

        Raises:
            UserError: the loss or the gradient norm is not finite, or a term of the loss gives no
                gradient; the update was not made.
            ValueError: a tensor that is to be trained was frozen meanwhile.
        """
        require_trainable(self.parameters)
        rate = learning_rate(step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss, velocity, identity, cosine = self.backward(batch, step)
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.gradient_clip)
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            raise UserError(
                f"The loss or its gradient is not finite at step {step}; the update was not made "
                f"and the last checkpoint in {self.checkpoints} is intact: lower learning_rate."
            )
        self.optimizer.step()
        self.adapter.project()
        return {
            "step": step,
            "loss": loss,
            "loss_velocity": velocity,
            "loss_identity": identity,
            "identity_cosine": cosine,
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
        batches = self._batches(done)
        pace = Pace(rules.batch_size, lambda: self.feed.waited)
        pace.begin(done)
        for step in range(done + 1, rules.steps + 1):
            row = self.step(step, next(batches))
            if step % rules.log_every == 0 or step == rules.steps:
                self.curve.append(row)
                numbers = {k: v for k, v in row.items() if k != "step" and v is not None}
                log({**numbers, **pace.taken(step)}, step)
                if step % (rules.log_every * 5) == 0 or step == rules.steps:
                    left = (rules.steps - step) * rules.batch_size / pace.rate
                    say(
                        f"step {step}/{rules.steps}, loss {row['loss']:.4f}, "
                        f"{pace.rate:.1f} samples/s, {left:.0f} s left"
                    )
            if step == done + _EARLY and (silent := self.unreached()):
                say(f"no gradient so far for {len(silent)} trained tensors: {', '.join(silent)}")
            if keep is not None and step in rules.milestone_steps:
                keep(step)
            if step % rules.sample_every == 0 or step == rules.steps:
                watch(step)
                pace.begin(step)
            # last, so that a run cut off here makes this step's samples again
            if step % rules.checkpoint_every == 0 and step < rules.steps:
                self._save(step)
        return self.curve

    def _batches(self, done: int) -> Iterator[Batch]:
        """The batch of each step after `done`. Where one cannot be read, what was learned since the
        last checkpoint is saved first: an object store may be away for long.
        """
        batches = self.feed.from_step(done + 1)
        for step in itertools.count(done):
            try:
                batch = next(batches)
            except UserError:
                if step > done and step % self.settings.checkpoint_every:
                    self._save(step)
                raise
            yield batch

    def _save(self, step: int) -> None:
        state.save(
            self.checkpoints,
            step,
            self.fingerprint,
            parameters=self.parameters,
            optimizer=self.optimizer,
            curve=self.curve,
        )
