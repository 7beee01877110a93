"""The resumable training loop of the backbone: Muon, cosine rate, moving average, checkpoints.

A checkpoint is one sealed safetensors file that holds weights, averages, both moments and the step.
Data order must be keyed by (seed, step): then a resumed run repeats an uninterrupted one bit for
bit on a CPU. A damaged checkpoint is passed over for the one before; one of another recipe is
refused.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mm_model.embedded.training import checkpoints
from mm_model.embedded.training.backbone.muon import Muon
from mm_model.embedded.training.backbone.recipe import Optimisation
from mm_model.embedded.training.backbone.workers import GradientWorkers, LossOf
from mm_model.errors import UserError

_MOMENTS = ("exp_avg", "exp_avg_sq")


def generator(*key: int) -> torch.Generator:
    """A torch generator keyed by whole numbers (stream, seed, step)."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(seed)


def freeze(module: nn.Module) -> nn.Module:
    """The module in evaluation mode without gradients."""
    return module.eval().requires_grad_(False)


def rounded(module: nn.Module) -> nn.Module:
    """The module with weights rounded to float16 values, still float32: what a loader sees."""
    with torch.no_grad():
        for value in (*module.parameters(), *module.buffers()):
            if value.is_floating_point():
                value.copy_(value.half().float())
    return module


@dataclass
class Training:
    """Modules under training, their moving averages and the optimiser.

    `averages` mirrors `modules`; it starts as a copy and follows with the recipe's `ema` factor,
    ramped up over the first steps so that the random start is soon forgotten.
    """

    modules: dict[str, nn.Module]
    averages: dict[str, nn.Module]
    optimizer: Muon
    optimisation: Optimisation
    digest: str
    step: int = 0

    @classmethod
    def create(
        cls, modules: dict[str, nn.Module], optimisation: Optimisation, digest: str
    ) -> Training:
        """Fresh state; weight decay acts on matrices only, embeddings never follow Muon."""
        tables = {
            id(m.weight)
            for module in modules.values()
            for m in module.modules()
            if isinstance(m, nn.Embedding)
        }
        parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        flat = [p for p in parameters if p.ndim <= 1 or id(p) in tables or min(p.shape[:2]) == 1]
        rest = {id(p) for p in flat}
        matrices = [p for p in parameters if id(p) not in rest]
        optimizer = Muon(
            [{"params": matrices, "matrix": True}, {"params": flat, "weight_decay": 0.0}],
            lr=optimisation.learning_rate,
            betas=optimisation.betas,
            weight_decay=optimisation.weight_decay,
        )
        averages = {name: freeze(copy.deepcopy(m)) for name, m in modules.items()}
        return cls(modules, averages, optimizer, optimisation, digest)

    def start_from(self, folder: Path) -> None:
        """Begin with the averages of another training's checkpoint; step and moments stay fresh.

        Raises `UserError` when `folder` has none that is whole.
        """
        path = checkpoints.newest(folder)
        if path is None:
            raise UserError(f"{folder} holds no whole checkpoint: run `make weights` again.")
        with safe_open(path, "pt") as file:
            for name in self.modules:
                prefix = f"average/{name}/"
                keys = [k for k in file.keys() if k.startswith(prefix)]  # noqa: SIM118
                state = {k[len(prefix) :]: file.get_tensor(k) for k in keys}
                self.modules[name].load_state_dict(state)
                self.averages[name].load_state_dict(state)

    def rate(self, step: int) -> float:
        """Learning rate of a step: warm-up and cosine, or the second phase's straight fall."""
        o = self.optimisation
        if o.second_from is not None and step >= o.second_from:
            return o.second_rate * (o.steps - step) / (o.steps - o.second_from)
        warm = min(1.0, (step + 1) / max(1, o.warmup))
        done = min(1.0, step / max(1, o.horizon or o.steps))
        cosine = o.final_share + (1 - o.final_share) * 0.5 * (1 + math.cos(math.pi * done))
        return o.learning_rate * warm * cosine

    def update(self, loss: float) -> None:
        """One optimiser step from the gradients in place, one step of the averages.

        Raises `UserError` on a loss or gradient that is not finite; the weights have not moved.
        """
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.optimisation.clip)
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            raise UserError(
                f"the loss or gradient of step {self.step} is not finite: lower learning_rate in "
                "the recipe and start again."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step)
        self.optimizer.step()
        self.step += 1
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.optimisation.ema, (1 + self.step) / (10 + self.step))
        for name, module in self.modules.items():
            own, other = self.averages[name].state_dict(), module.state_dict()
            for key, value in own.items():
                if value.is_floating_point():
                    value.lerp_(other[key], 1 - keep)
                else:
                    value.copy_(other[key])

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name in self.modules:
            for key, value in self.modules[name].state_dict().items():
                yield f"module/{name}/{key}", value
            for key, value in self.averages[name].state_dict().items():
                yield f"average/{name}/{key}", value
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        for index, parameter in enumerate(parameters):
            state = self.optimizer.state.get(parameter)
            for moment in _MOMENTS if state else ():
                yield f"optimizer/{index}/{moment}", state[moment]

    def save(self, folder: Path) -> None:
        """Write the checkpoint of this step into `folder`."""
        tensors = {k: v.detach().contiguous().clone() for k, v in self._tensors()}
        mark = {"step": str(self.step), "recipe": self.digest}
        checkpoints.write(folder, lambda aside: save_file(tensors, aside, mark))

    def resume(self, folder: Path) -> bool:
        """Load `folder`'s newest whole checkpoint if there is one; True when it did.

        Raises `UserError` when the checkpoint belongs to another recipe.
        """
        path = checkpoints.newest(folder)
        if path is None:
            return False
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if metadata["recipe"] != self.digest:
            raise UserError(
                f"{path} was made by another recipe or other data: move that folder away to train "
                "afresh."
            )
        for name in self.modules:
            for kind, holder in (("module", self.modules), ("average", self.averages)):
                prefix = f"{kind}/{name}/"
                part = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
                holder[name].load_state_dict(part)
        self.step = int(metadata["step"])
        self._restore_moments(tensors)
        return True

    def _restore_moments(self, tensors: dict[str, Tensor]) -> None:
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        for index, parameter in enumerate(parameters):
            if f"optimizer/{index}/{_MOMENTS[0]}" in tensors:
                state = self.optimizer.state[parameter]
                state["step"] = torch.tensor(float(self.step))
                for moment in _MOMENTS:
                    state[moment] = tensors[f"optimizer/{index}/{moment}"].clone()


def run(
    training: Training,
    loss_of: LossOf,
    folder: Path,
    label: str,
    *,
    stop: int | None = None,
    checkpoint_every: int = 200,
    log_every: int = 50,
    at_checkpoint: Callable[[int], None] | None = None,
) -> None:
    """Train up to `stop` (default: the recipe's steps), from the folder's checkpoint if any.

    All randomness of `loss_of(step, part, parts)` must be keyed by its arguments.
    `at_checkpoint(step)` is called after each checkpoint, for sample pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if training.step == 0:
        training.resume(folder)
    total = training.optimisation.steps
    stop = total if stop is None else min(stop, total)
    if training.step >= stop:
        print(f"{label}: already at step {training.step}", flush=True)
        return
    ledger = _Ledger(label, total, stop)
    with GradientWorkers(loss_of, training.modules, training.optimisation.workers) as workers:
        while training.step < stop:
            loss, figures = workers.backward(training.step)
            training.update(loss)
            ledger.note({"loss": loss, **figures})
            if training.step % log_every == 0:
                ledger.speak(training.step)
            if training.step % checkpoint_every == 0 or training.step == stop:
                training.save(folder)
                if at_checkpoint is not None:
                    at_checkpoint(training.step)


class _Ledger:
    """Means of the figures since the last progress line."""

    def __init__(self, label: str, total: int, stop: int) -> None:
        self.label, self.total, self.stop = label, total, stop
        self._clear()

    def _clear(self) -> None:
        self.sums: dict[str, list[float]] = {}
        self.count, self.since = 0, time.monotonic()

    def note(self, figures: dict[str, float]) -> None:
        self.count += 1
        for name, value in figures.items():
            self.sums.setdefault(name, []).append(value)

    def speak(self, step: int) -> None:
        seconds = (time.monotonic() - self.since) / self.count
        shown = " ".join(f"{k} {sum(v) / len(v):.4f}" for k, v in self.sums.items())
        left = seconds * (self.stop - step) / 60
        print(
            f"{self.label} {step}/{self.total} {shown} {seconds:.2f} s/step {left:.0f} min left",
            flush=True,
        )
        self._clear()
