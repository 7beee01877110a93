"""One training loop for all three networks: resumable, seeded by step, the same bits after a kill.

Every batch is drawn from a generator keyed by (seed, step); nothing else is random. A checkpoint
of another recipe is refused, never continued.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mm_model.embedded.training import checkpoints
from mm_model.errors import UserError
from mm_model.store.atomic import Document
from mm_model.waiting import outcome

_AHEAD = 3
_SAY_EVERY = 50


@dataclass(frozen=True)
class NetworkRecipe:
    """How one network is trained: ``steps`` of ``batch`` from ``seed``, AdamW at ``rate``.

    ``note`` holds whatever else decides the result (architecture, people, data digest).
    """

    seed: int
    steps: int
    batch: int
    rate: float
    threads: int
    note: Document
    weight_decay: float = 0.01
    save_every: int = 200

    def fingerprint(self) -> str:
        """Digest of all that decides the bits; a checkpoint of another one is refused."""
        from mm_model.store import digests

        fields = ("seed", "steps", "batch", "rate", "threads", "note", "weight_decay")
        return digests.of_value({name: getattr(self, name) for name in fields})

    def rate_at(self, step: int) -> float:
        """Learning rate: a linear rise over 5% of the steps, then half a cosine down to 1%."""
        rise = max(1, self.steps // 20)
        if step < rise:
            return self.rate * (step + 1) / rise
        along = (step - rise) / max(1, self.steps - rise)
        return self.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)

    def rng_at(self, step: int) -> np.random.Generator:
        """The generator of one step's batch."""
        return np.random.default_rng([self.seed, step])


def seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    """``build()`` with initial weights from ``seed``; the global random state stays untouched.

    Weights lie channels last, a third faster on a CPU. A 1x1 convolution with a stride must then be
    a ``ThinningConv2d``: the backward pass of torch's own may overwrite foreign memory.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().to(memory_format=torch.channels_last)


def _optimiser(model: nn.Module, recipe: NetworkRecipe) -> torch.optim.AdamW:
    trained = [p for p in model.parameters() if p.requires_grad]
    decay = [p for p in trained if p.ndim > 1]
    rest = [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": decay, "weight_decay": recipe.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def save_checkpoint(
    folder: Path,
    step: int,
    *,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    recipe: NetworkRecipe,
    recent: dict[str, float],
) -> None:
    """Write weights, optimiser state, finished steps and recent losses in one sealed file."""
    from safetensors.torch import save

    tensors = {f"model.{k}": v.detach().contiguous() for k, v in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{k}": v.contiguous() for k, v in state.items()}
    mark = {"step": str(step), "recipe": recipe.fingerprint(), "recent": json.dumps(recent)}
    content = save(tensors, metadata=mark)
    checkpoints.write(folder, lambda aside: aside.write_bytes(content))


def load_checkpoint(
    folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, recipe: NetworkRecipe
) -> tuple[int, dict[str, float]]:
    """Restore the newest whole checkpoint; returns finished steps and losses of then.

    Without one it returns 0 and {}.

    Raises ``UserError`` when the checkpoint belongs to another recipe.
    """
    from safetensors import safe_open

    path = checkpoints.newest(folder)
    if path is None:
        return 0, {}
    with safe_open(str(path), "pt") as file:
        mark = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if mark["recipe"] != recipe.fingerprint():
        raise UserError(f"{path} was written with other settings; remove it or pass resume=False.")
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            state.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    return int(mark["step"]), json.loads(mark["recent"])


def train(
    model: nn.Module,
    recipe: NetworkRecipe,
    draw: Callable[[np.random.Generator], Any],
    losses: Callable[[Any, float], dict[str, torch.Tensor]],
    folder: Path,
    *,
    label: str,
    resume: bool = True,
    stop_after: int | None = None,
) -> dict[str, float]:
    """Train ``model`` in place and return the mean losses of the last hundred steps.

    ``draw(rng)`` makes a batch; ``losses(batch, progress)`` gives ``total`` and parts to report,
    with progress in [0, 1). ``stop_after`` ends the call early, with a checkpoint, after that
    many finished steps in all. Raises ``UserError`` on a loss or gradient that is not finite.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        return _train(
            model,
            recipe,
            draw,
            losses,
            folder=folder,
            label=label,
            resume=resume,
            stop_after=stop_after,
        )
    finally:
        torch.set_num_threads(before)


def _train(
    model: nn.Module,
    recipe: NetworkRecipe,
    draw: Callable[[np.random.Generator], Any],
    losses: Callable[[Any, float], dict[str, torch.Tensor]],
    *,
    folder: Path,
    label: str,
    resume: bool,
    stop_after: int | None,
) -> dict[str, float]:
    optimiser = _optimiser(model, recipe)
    first, means = load_checkpoint(folder, model, optimiser, recipe) if resume else (0, {})
    last = min(recipe.steps, stop_after or recipe.steps)
    recent: list[dict[str, float]] = []
    model.train()
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(draw, recipe.rng_at(s)) for s in range(first, last)[:_AHEAD]]
        for step in range(first, last):
            batch = outcome(waiting.pop(0))
            if step + _AHEAD < last:
                waiting.append(pool.submit(draw, recipe.rng_at(step + _AHEAD)))
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate_at(step)
            parts = losses(batch, step / recipe.steps)
            optimiser.zero_grad(set_to_none=True)
            parts["total"].backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            if not (parts["total"].isfinite() and norm.isfinite()):
                raise UserError(
                    f"{label}: the loss or gradient of step {step} is not finite: lower the "
                    "recipe's rate and start again; the last checkpoint is intact."
                )
            optimiser.step()
            recent = [*recent[-99:], {k: float(v.detach()) for k, v in parts.items()}]
            done, means = step + 1, _means(recent)
            if done % _SAY_EVERY == 0 or done == last:
                figures = ", ".join(f"{k} {v:.4f}" for k, v in means.items())
                print(f"{label}: step {done}/{recipe.steps}, {figures}", flush=True)
            if done % recipe.save_every == 0 or done == last:
                save_checkpoint(
                    folder, done, model=model, optimiser=optimiser, recipe=recipe, recent=means
                )
    model.eval()
    return means


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {k: sum(r[k] for r in rows) / len(rows) for k in rows[0]}


def describe(recipe: NetworkRecipe) -> Document:
    """The recipe as it goes into a manifest."""
    return json.loads(json.dumps(recipe.__dict__))
