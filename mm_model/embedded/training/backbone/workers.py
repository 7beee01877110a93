"""Data-parallel gradients on one machine: single-threaded processes around shared weights.

On a busy CPU two processes of one thread beat one process of two threads by a factor. Every worker
computes a fixed part of each batch and the parts are added in a fixed order, so the result depends
on the number of workers and on nothing else. It refuses to be shared by two trainings at once.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from mm_model import lifeline

LossOf = Callable[[int, int, int], tuple[Tensor, dict[str, float]]]
"""`loss_of(step, part, parts)`: loss of one part of the batch of `step`, and figures to print."""


def _serve(
    loss_of: LossOf,
    parameters: list[Tensor],
    gradients: list[Tensor],
    pipe: Any,
    part: int,
    parts: int,
) -> None:
    """A helper process: for each step it is sent, fill `gradients` and answer with figures."""
    torch.set_num_threads(1)
    while (step := pipe.recv()) is not None:
        loss, figures = loss_of(step, part, parts)
        for slot, gradient in zip(gradients, _gradients(loss, parameters), strict=True):
            slot.copy_(gradient)
        pipe.send((float(loss.detach()), figures))


def _gradients(loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """Gradients in storage of their own; zeros where a parameter takes no part."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [
        torch.zeros_like(p) if g is None else torch.empty_like(p).copy_(g)
        for g, p in zip(found, parameters, strict=True)
    ]


class GradientWorkers:
    """`count` processes (this one included) that compute one gradient together.

    `loss_of` must be picklable and hold the very modules whose `parameters` are trained; weights
    move to shared memory when there is more than one worker. Use as a context manager.
    """

    def __init__(self, loss_of: LossOf, modules: dict[str, nn.Module], count: int) -> None:
        self.loss_of, self.count = loss_of, count
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self._helpers: list[tuple[Any, Any, list[Tensor]]] = []
        if count > 1:
            for module in modules.values():
                module.share_memory()

    def __enter__(self) -> GradientWorkers:
        for part in range(1, self.count):
            ours, theirs = multiprocessing.Pipe()
            gradients = [torch.zeros_like(p).share_memory_() for p in self.parameters]
            arguments = (self.loss_of, self.parameters, gradients, theirs, part, self.count)
            process = lifeline.process(_serve, *arguments)
            process.start()
            theirs.close()
            self._helpers.append((process, ours, gradients))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process, pipe, _ in self._helpers:
            if process.is_alive():
                pipe.send(None)
            process.join(10)
            if process.is_alive():
                process.terminate()
        self._helpers = []

    def backward(self, step: int) -> tuple[float, dict[str, float]]:
        """Fill `.grad` of all parameters with the mean gradient of the step; loss and figures."""
        for _, pipe, _ in self._helpers:
            pipe.send(step)
        loss, figures = self.loss_of(step, 0, self.count)
        total, value = _gradients(loss, self.parameters), float(loss.detach())
        sums = dict(figures)
        for _, pipe, gradients in self._helpers:
            other, more = pipe.recv()
            value += other
            for name, figure in more.items():
                sums[name] = sums.get(name, 0.0) + figure
            torch._foreach_add_(total, gradients)
        torch._foreach_mul_(total, 1 / self.count)
        for parameter, gradient in zip(self.parameters, total, strict=True):
            parameter.grad = gradient
        return value / self.count, {k: v / self.count for k, v in sums.items()}
