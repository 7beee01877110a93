"""The processes that train together: which one this is, where its model lies, what they exchange.

Each holds the whole frozen backbone and sees its own streams of every batch. What is trained is
copied to all (`none`), or each keeps a part of it, of its gradients and of the optimiser's state
(`trained`); with `all` the frozen backbone is kept in parts too. Alone nothing here costs time.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedDataParallelKwargs,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
    broadcast_object_list,
    gather_object,
)
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from mm_model.errors import UserError
from mm_model.nn.injection.model import MagicMirrorModel

T = TypeVar("T")

SHARDING = ("none", "trained", "all")
"""What is kept in parts."""
_PATIENCE = timedelta(hours=2)
"""How long one waits for the others, such as for whoever saves or makes samples."""


class Processes:
    """This process among those of its training; `device` is that of its model.

    Raises:
        UserError: there is no such way of sharding.
    """

    def __init__(self, device: torch.device, sharding: str = "none") -> None:
        if sharding not in SHARDING:
            raise UserError(f"Sharding {sharding!r} is none of {', '.join(SHARDING)}.")
        # Said here, because Accelerate otherwise takes them from the environment.
        self.accelerator = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision="no",
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            kwargs_handlers=[
                InitProcessGroupKwargs(timeout=_PATIENCE),
                DistributedDataParallelKwargs(
                    broadcast_buffers=False, gradient_as_bucket_view=True
                ),
            ],
        )
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        self.sharding = sharding if self.count > 1 else "none"

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def placed(self, model: MagicMirrorModel) -> nn.Module:
        """What to call instead of `model`: its gradients are the mean over all processes.

        With sharding the trained parameters are other objects afterwards.
        """
        if self.sharding != "none":
            return _sharded(model, whole_base=self.sharding == "trained", processes=self.count)
        # Plain DDP waits for every trained tensor, and each has a gradient in every step: what
        # nothing reads has one of zeros (a test of the model holds that).
        return self.accelerator.prepare_model(model)

    @contextlib.contextmanager
    def adding(self, placed: nn.Module, last: bool) -> Iterator[None]:
        """For one of several backward passes of a step: only the last one exchanges gradients."""
        if isinstance(placed, FSDPModule):
            placed.set_requires_gradient_sync(last)
            yield
        elif last or self.count == 1:
            yield
        else:
            with self.accelerator.no_sync(placed):
                yield

    @contextlib.contextmanager
    def whole(self, placed: nn.Module) -> Iterator[None]:
        """Within the block every parameter is there as a whole; nothing is trained there.

        What runs there exchanges nothing: processes may do different things.
        """
        kept = [module for module in placed.modules() if isinstance(module, FSDPModule)]
        if isinstance(placed, FSDPModule):
            # Before the first step nobody has told the blocks that they are not the whole model.
            placed._get_fsdp_state()._lazy_init()
        for module in kept:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        try:
            yield
        finally:
            for module in kept:
                module.set_reshard_after_forward(module is not placed, recurse=False)
                module.reshard()

    def full_state(self, module: nn.Module) -> dict[str, Tensor]:
        """The state dict of a placed model's part with whole tensors, on the CPU where they were
        sharded; of others than the first process it may hold nothing.
        """
        found = {}
        for name, value in module.state_dict().items():
            if isinstance(value, DTensor):
                whole = value.full_tensor()
                if self.is_first:
                    found[name] = whole.cpu()
            elif self.is_first:
                found[name] = value
        return found

    def of_streams(self, rows: Tensor, streams: int) -> Tensor:
        """Rows `[B, ...]` of the whole batch in the order of the streams, from each one's own."""
        if self.count == 1:
            return rows
        each = len(rows) * self.count // streams
        found = self.accelerator.gather(rows.to(self.accelerator.device)).cpu()
        by_rank = found.view(self.count, streams // self.count, each, *rows.shape[1:])
        return by_rank.transpose(0, 1).reshape(-1, *rows.shape[1:])

    def own_rows(self, rows: Tensor, streams: int) -> Tensor:
        """The reverse of `of_streams`: this process's rows."""
        if self.count == 1:
            return rows
        each = len(rows) // streams
        by_stream = rows.view(streams, each, *rows.shape[1:])
        return by_stream[self.rank :: self.count].reshape(-1, *rows.shape[1:])

    def means(self, *values: float) -> tuple[float, ...]:
        """The mean of each value over all processes."""
        if self.count == 1:
            return values
        said = torch.tensor(values, dtype=torch.float64, device=self.accelerator.device)
        return tuple(self.accelerator.reduce(said, "mean").tolist())

    def any_of(self, flags: Sequence[bool]) -> list[bool]:
        """Of each flag whether it is set in one of the processes."""
        if self.count == 1:
            return list(flags)
        said = torch.tensor(flags, dtype=torch.int32, device=self.accelerator.device)
        return [bool(n) for n in self.accelerator.reduce(said, "sum").tolist()]

    def all_said(self, value: T) -> list[T]:
        """What each process says, in their order."""
        return [value] if self.count == 1 else gather_object([value])

    def agreed(self, value: T) -> T:
        """What the first process says."""
        return value if self.count == 1 else broadcast_object_list([value])[0]

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            self.accelerator.wait_for_everyone()


def _sharded(model: MagicMirrorModel, *, whole_base: bool, processes: int) -> nn.Module:
    """FSDP2 by block, and one group of what lies outside the blocks."""
    mesh = init_device_mesh(next(model.parameters()).device.type, (processes,))
    apart = {p for p in model.parameters() if not p.requires_grad} if whole_base else set()
    for block in model.transformer.transformer_blocks:
        if any(p not in apart for p in block.parameters()):
            fully_shard(block, mesh=mesh, ignored_params=apart)
            apart |= set(block.parameters())  # the adapter's view holds them a second time
    fully_shard(model, mesh=mesh, ignored_params=apart)
    return model
