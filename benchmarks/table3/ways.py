"""Ways to compute the same prediction: regional compiling, attention kernels, modulation tables."""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.table3.models import Dimensions, Pair
from benchmarks.table3.sheet import MeasuredRows
from benchmarks.table3.timing import Step
from mm_model.errors import UserError
from mm_model.nn.magic_mirror.modulation import ModulationTable

KERNELS = ("native", "_native_cudnn", "_native_flash", "_native_efficient", "flash", "_flash_3")
"""Exact ones that diffusers' dispatcher knows and that ask no hub for code."""
PLAIN = "native"


@dataclass(frozen=True)
class Setting:
    """What a phase is told: the machine, the size, where rows go, and when it has to end."""

    size: str
    sizes: Dimensions
    device: torch.device
    dtype: torch.dtype
    compiler: str
    rows: MeasuredRows
    ends: float

    @classmethod
    def of(cls, options: argparse.Namespace, rows: MeasuredRows, ends: float) -> "Setting":
        """What the command line asks for.

        Raises:
            UserError: the full size is asked for where there is no GPU.
        """
        has_gpu = torch.cuda.is_available()
        if options.size == "full" and not has_gpu:
            raise UserError(
                "The full size needs a GPU of 80 GB, and PyTorch finds none: give --size small for "
                "a dry run here."
            )
        on_gpu = options.size == "full"
        return cls(
            options.size,
            Dimensions.of(options.size, options.preset),
            torch.device("cuda" if on_gpu else "cpu"),
            torch.bfloat16 if on_gpu else torch.float32,
            options.compiler,
            rows,
            ends,
        )

    @property
    def is_late(self) -> bool:
        """Whether nothing more may begin."""
        return time.monotonic() > self.ends

    def pair(self) -> Pair:
        """The base and ours, on the device."""
        return Pair(self.sizes, self.device, self.dtype)


@dataclass(frozen=True)
class Way:
    """How ours computes: a kernel of attention, compiled or not, from tables or not."""

    kernel: str = PLAIN
    compiled: bool = False
    tables: bool = False

    @property
    def name(self) -> str:
        """For a row."""
        said = [self.kernel.removeprefix("_")]
        said += ["compiled"] if self.compiled else []
        return " + ".join(said + (["tables"] if self.tables else []))


class Ways:
    """Ours by one way and then by another: nothing is built anew in between."""

    def __init__(self, pair: Pair, compiler: str) -> None:
        self._pair, self._compiler = pair, compiler
        self._table: ModulationTable | None = None
        self._compiled: Mapping[nn.Module, Any] = {}

    def step(self, way: Way) -> Step:
        """Ours, computed that way.

        A compiled way forgets those before it: they would count as one function's many versions,
        of which torch keeps eight.
        """
        from diffusers.models.attention_dispatch import AttentionBackendName

        kernel = AttentionBackendName(way.kernel)
        table = self._tables() if way.tables else None
        blocks = self._pair.ours.transformer_blocks
        compiled = self._regions() if way.compiled else {}

        def stepped(number: int) -> Tensor:
            for block in blocks:
                block.attn1.processor._attention_backend = kernel
                block._compiled_call_impl = compiled.get(block)
            return self._pair.our_step(number, table)

        return stepped

    def _tables(self) -> ModulationTable:
        if self._table is None:
            self._table = self._pair.table()
        return self._table

    def _regions(self) -> Mapping[nn.Module, Any]:
        """What each block is called by when compiled, by diffusers' list of repeated blocks."""
        torch.compiler.reset()
        if not self._compiled:
            self._pair.ours.compile_repeated_blocks(fullgraph=True, backend=self._compiler)
            blocks = self._pair.ours.transformer_blocks
            self._compiled = {block: block._compiled_call_impl for block in blocks}
        return self._compiled


def kernels(setting: Setting) -> list[str]:
    """Those of `KERNELS` that answer here, in the size of a head of the model."""
    from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn

    config, found = setting.sizes.transformer, []
    shape = (2, 64, config["num_attention_heads"], config["attention_head_dim"])
    query = torch.randn(shape, device=setting.device, dtype=setting.dtype)
    for name in KERNELS:
        try:
            dispatch_attention_fn(query, query, query, backend=AttentionBackendName(name))
        except Exception:  # whatever a kernel says that is not there or does not take this head
            continue
        found.append(name)
    return found
