"""On what a proof ran: versions, hardware, and the memory and seconds of a block of work.

Names of machines, people and folders are no part of it: the record is made to be sent.
"""

from __future__ import annotations

import importlib.metadata
import platform
import threading
import time
from types import TracebackType

import psutil
import torch

import mm_model
from mm_model.environment import processor
from mm_model.store.atomic import Document

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "onnxruntime")
_PAUSE = 0.05
"""Seconds between two looks at the memory."""


def versions() -> dict[str, str]:
    """Of this library, Python, the packages that have a say, and CUDA."""
    found = {"mm_model": mm_model.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found | {"cuda": torch.version.cuda or "none"}


def hardware(device: torch.device) -> Document:
    """Processor, memory, and the accelerator where one is used."""
    said: Document = {
        "system": platform.system(),
        "processor": processor(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": "cpu",
    }
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        said |= {"device": card.name, "device_memory_bytes": card.total_memory}
    return said


class MeasuredBlock:
    """Measures the block of `with MeasuredBlock(device) as seen`; read `as_dict` afterwards."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        self._process = psutil.Process()
        self._over = threading.Event()
        self._peak = self._began = 0
        self.seconds = 0.0

    def __enter__(self) -> MeasuredBlock:
        self._began = self._peak = self._process.memory_info().rss
        if self._cuda is not None:
            torch.cuda.synchronize(self._cuda)
            torch.cuda.reset_peak_memory_stats(self._cuda)
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cuda is not None and error is None:
            torch.cuda.synchronize(self._cuda)
        self.seconds = time.monotonic() - self._start
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def as_dict(self) -> Document:
        """Seconds, and bytes: resident memory at the beginning and at most, CUDA's at most."""
        peak = max(self._peak, self._process.memory_info().rss)
        said: Document = {
            "seconds": round(self.seconds, 3),
            "rss_before_bytes": self._began,
            "rss_peak_bytes": peak,
        }
        if self._cuda is not None:
            said["cuda_peak_bytes"] = torch.cuda.max_memory_allocated(self._cuda)
        return said
