"""The training loop of both stages: one step readable from top to bottom.

L = |v_hat - v|^2 on a region drawn per sample + lambda * identity loss (paper, section 3.4). Only
the adapter's tensors move: they, their gradients and the optimiser's state are float32 whatever the
backbone computes in. Several processes take their own rows of every step (`processes.py`).
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from mm_model.diffusion.objective import velocity_loss
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.injection.port import IdentityInjection
from mm_model.settings import TrainSettings
from mm_model.settings.device import is_small
from mm_model.train import state
from mm_model.train.average import MovingAverage
from mm_model.train.batches import Batch
from mm_model.train.feed import Feed
from mm_model.train.gradients import (
    never_reached,
    require_gradient,
    require_trainable,
)
from mm_model.train.identity_loss import IdentityLoss, identity_loss, select_samples
from mm_model.train.optimizer import optimizer_of
from mm_model.train.pace import Pace, spoken
from mm_model.train.processes import Processes
from mm_model.train.saving import Saver
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


@dataclass(frozen=True)
class _Told:
    """Who hears of a training's steps."""

    log: Log
    watch: Watch
    say: Callable[[str], None]
    keep: Watch


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
    """Holds model, data and optimiser of one stage; `run` trains from the newest checkpoint on.

    Of several `processes` each makes its own, over the same data; alone when None. `tflop` is the
    work of one sample, for the log.
    """

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
        processes: Processes | None = None,
        tflop: float | None = None,
    ) -> None:
        self.processes = at = processes or Processes(backbone.device)
        self.backbone, self.settings, self.data = backbone, settings, data
        self.fingerprint, self.checkpoints, self._tflop = fingerprint, checkpoints, tflop
        self.schedule = backbone.schedule
        self.feed = Feed(data, backbone, settings, seed, rank=at.rank, ranks=at.count)
        self.adapter = adapter
        model = MagicMirrorModel(backbone.transformer, adapter, settings.trained)
        if settings.gradient_checkpointing:
            backbone.transformer.enable_gradient_checkpointing()
        self.model = at.placed(model)
        self.parameters = model.trained_parameters()  # sharding has put others in their place
        self.optimizer = optimizer_of(self.parameters, settings)
        self.average: MovingAverage | None = None
        if settings.ema_decay is not None:
            self.average = MovingAverage(self.parameters, settings.ema_decay)
        self.curve: list[dict] = []
        self._proven: set[str] = set()
        latent_frames, _, height, width = data.latent_shape
        patches = latent_frames * height * width // backbone.transformer.config.patch_size**2
        tokens = _FEW_TOKENS if is_small(backbone.device) else _TOKENS
        self._together = max(1, tokens // (patches + backbone.text_length))

    def losses(self, batch: Batch, usable: Tensor, share: float, weight: float) -> Losses:
        """The part `batch` of a step: velocity loss on the drawn regions plus identity loss.

        `usable [B]` marks whom the identity loss sees. `share` is the part's share of this
        process's rows, `weight` its share of the identity loss's weights, times the processes.
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
        # Sharding hooks the model's own output: what asks for a gradient of ours leaves it alone.
        predicted = predicted.view_as(predicted)
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

    def _usable(self, batch: Batch, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """`[B]` booleans: whom the identity loss of `step` sees, nobody before its first step;
        `[B]` their weights; and the sum of those of all processes.
        """
        rules, streams = self.settings, self.settings.streams
        if rules.identity_loss_weight == 0 or step <= rules.identity_loss_from_step:
            nobody = torch.zeros(len(batch), dtype=torch.bool)
            return nobody, nobody.float(), torch.zeros(())
        alpha = self.schedule.alpha_bar(batch.timestep)
        fit = select_samples(alpha, ~batch.drop_identity)
        usable = self.processes.of_streams(fit, streams)
        usable = usable & (usable.cumsum(dim=0) <= rules.identity_loss_samples)
        weights = torch.where(usable, self.processes.of_streams(alpha, streams), 0.0)
        own = self.processes.own_rows
        return own(usable, streams), own(weights, streams), weights.sum()

    def backward(self, batch: Batch, step: int) -> tuple[float, float, float, float | None]:
        """Add the gradient of the batch to the weights', part by part where it is large.

        Returns the loss, its two terms, and the mean cosine of the samples that the identity loss
        saw, or None; all of the batches of all processes.
        """
        usable, weights, in_all = self._usable(batch, step)
        loss = velocity = identity = 0.0
        cosines = []
        starts = range(0, len(batch), self._together)
        for start in starts:
            rows = slice(start, start + self._together)
            part = batch.part(rows)
            with self.processes.adding(self.model, last=start == starts[-1]):
                weight = float(weights[rows].sum() / in_all) if usable[rows].any() else 0.0
                weight *= self.processes.count  # gradients are a mean over them
                terms = self.losses(part, usable[rows], len(part) / len(batch), weight)
                terms.total.backward()
            loss += float(terms.total.detach())
            velocity, identity = velocity + terms.velocity, identity + terms.identity
            cosines.append(terms.cosine.cpu())
        cosine, seen = torch.cat(cosines).double(), float(usable.sum())
        loss, velocity, identity, cosine_sum, seen = self.processes.means(
            loss, velocity, identity, float(cosine.sum()), seen
        )
        return loss, velocity, identity, cosine_sum / seen if seen else None

    def _prove(self, name: str, term: Tensor, predicted: Tensor) -> None:
        """Once a run: this term of the loss can teach something."""
        if name not in self._proven and torch.is_grad_enabled():
            require_gradient(name, term, predicted)
            self._proven.add(name)

    def unreached(self) -> list[str]:
        """Trained tensors without a gradient so far, but for those that nothing can read."""
        silent = set(never_reached(self.parameters, self.optimizer))
        names = list(self.parameters)
        reached = self.processes.any_of([name not in silent for name in names])
        told = (name for name, found in zip(names, reached, strict=True) if not found)
        return [name for name in told if name not in self.adapter.unread]

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
        norm = self._clipped()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise UserError(self._not_finite(batch, step))
        self.optimizer.step()
        self.adapter.project()
        if self.average is not None:
            self.average.update(step)
        return {
            "step": step,
            "loss": loss,
            "loss_velocity": velocity,
            "loss_identity": identity,
            "identity_cosine": cosine,
            "gradient_norm": norm,
            "learning_rate": rate,
        }

    def _clipped(self) -> float:
        """Clip the gradient of all processes together; its norm before that."""
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.gradient_clip)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def _not_finite(self, batch: Batch, step: int) -> str:
        """The sentence that names the batch; all processes say the same."""
        names = [name for said in self.processes.all_said(batch.sample_ids) for name in said]
        shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
        return (
            f"The loss or its gradient is not finite at step {step}, whose samples are {shown}; "
            f"the update was not made and the last checkpoint in {self.checkpoints} is intact: "
            "lower learning_rate."
        )

    def run(
        self, log: Log, watch: Watch, say: Callable[[str], None], keep: Watch | None = None
    ) -> list[dict]:
        """Train to the last step; `watch` is called at step 0 and every `sample_every` steps,
        `keep` at the milestones.
        """
        with Saver(self.checkpoints, self.fingerprint) as saver:
            done = self._resumed(say)
            if not done:
                watch(0)
            told = _Told(log, watch, say, keep or (lambda _: None))
            self._train(done, saver, told)
        return self.curve

    def _resumed(self, say: Callable[[str], None]) -> int:
        """Take up the newest whole checkpoint; the step it was made after, or 0."""
        at, names = self.processes, []
        if at.is_first:
            names = state.newest(self.checkpoints, self.fingerprint, say)
        files = [self.checkpoints / name for name in at.agreed(names)]
        found = state.load(files, self.parameters, self.optimizer, self._averages())
        self.curve = found.curve if found else []
        if found:
            say(f"resuming after step {found.step} of {self.settings.steps}")
        return found.step if found else 0

    def _train(self, done: int, saver: Saver, told: "_Told") -> None:
        """The steps after `done`."""
        rules = self.settings
        batches = self._batches(done, saver)
        pace = Pace(rules.batch_size, lambda: self.feed.waited, self._tflop, self.processes.count)
        pace.begin(done)
        for step in range(done + 1, rules.steps + 1):
            row = self.step(step, next(batches))
            if step % rules.log_every == 0 or step == rules.steps:
                self.curve.append(row)
                numbers = {k: v for k, v in row.items() if k != "step" and v is not None}
                told.log({**numbers, **pace.taken(step)}, step)
                if step % (rules.log_every * 5) == 0 or step == rules.steps:
                    left = (rules.steps - step) * rules.batch_size / pace.rate
                    told.say(
                        f"step {step}/{rules.steps}, loss {row['loss']:.4f}, "
                        f"{pace.rate:.{1 if pace.rate >= 1 else 3}f} samples/s, {spoken(left)} left"
                    )
            if step == done + _EARLY and (silent := self.unreached()):
                names = ", ".join(silent)
                told.say(f"no gradient so far for {len(silent)} trained tensors: {names}")
            if step in rules.milestone_steps:
                told.keep(step)
            if step % rules.sample_every == 0 or step == rules.steps:
                told.watch(step)
                pace.begin(step)
            # last, so that a run cut off here makes this step's samples again
            if step % rules.checkpoint_every == 0 and step < rules.steps:
                self._save(step, saver)

    def _batches(self, done: int, saver: Saver) -> Iterator[Batch]:
        """The batch of each step after `done`. Where one cannot be read, what was learned since the
        last checkpoint is saved first: an object store may be away for long. Not with several
        processes, since the others are somewhere else then.
        """
        batches = self.feed.from_step(done + 1)
        for step in itertools.count(done):
            try:
                batch = next(batches)
            except UserError:
                unsaved = step > done and step % self.settings.checkpoint_every
                if unsaved and self.processes.count == 1:
                    self._save(step, saver)
                raise
            yield batch

    def _save(self, step: int, saver: Saver) -> None:
        at = self.processes
        saver.save(
            state.snapshot(
                step,
                self.parameters,
                self.optimizer,
                self.curve,
                rank=at.rank,
                ranks=at.count,
                averages=self._averages(),
            )
        )

    def _averages(self) -> dict[str, Tensor] | None:
        return self.average.tensors if self.average is not None else None

    def shown(self) -> contextlib.AbstractContextManager[None]:
        """Within the block the weights are those to look at and to keep: averages where asked."""
        return self.average.shown() if self.average is not None else contextlib.nullcontext()
