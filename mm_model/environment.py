"""Process-wide settings every entry point applies first: telemetry off, threads and memory; and
the machine in words.

Only environment variables, the C library's allocator and filters of two loggers are touched, so it
is safe to call before any heavy import.
"""

import ctypes
import logging
import os
import platform
import sys
from pathlib import Path

_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def silence_telemetry() -> None:
    """Switch off usage reports, downloads and chatter of the stack; a set variable wins."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Installed for its optimiser, torchao is imported by whatever imports diffusers.
    logging.getLogger("torchao").addFilter(_is_no_missing_kernel)
    logging.getLogger("torch.utils._pytree").addFilter(_is_no_torchao_enum)


def _is_no_missing_kernel(record: logging.LogRecord) -> bool:
    """Not torchao's line for each of its CUDA libraries that a torch without CUDA cannot load."""
    torch = sys.modules.get("torch")
    without_cuda = torch is not None and torch.version.cuda is None
    return not (without_cuda and str(record.msg).startswith("Failed to load "))


def _is_no_torchao_enum(record: logging.LogRecord) -> bool:
    """Not torch's line that torchao registers enumerations in a way that is no longer needed."""
    said, told = str(record.msg), record.args
    named = told[0] if isinstance(told, tuple) and told else None
    return not (
        "is an Enum subclass" in said
        and str(getattr(named, "__module__", "")).startswith("torchao")
    )


def thread_limits(threads: int) -> dict[str, str]:
    """The environment of numeric libraries that are to use at most `threads` threads.

    A thread that waits for the others soon goes to sleep: GNU's OpenMP else spins for milliseconds,
    which costs other programs a core, and on a busy machine this one most of its speed.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**dict.fromkeys(names, str(threads)), "GOMP_SPINCOUNT": "10000"}


def bound_threads(threads: int) -> None:
    """Give numeric libraries at most `threads` threads; call before importing them. What is set
    already wins."""
    for name, value in thread_limits(threads).items():
        os.environ.setdefault(name, value)


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks for the next tensor instead of giving them back.

    Tensors of some megabytes are otherwise mapped and cleared page by page at each operation, which
    doubles the time of small networks on a CPU. Every thread takes its blocks from the one arena
    that keeps them: glibc gives freed memory of any other back whatever the thresholds say. Call it
    before threads are started. Does nothing where the C library is not glibc.
    """
    # Numbers of malloc.h.
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_threshold, 2**30)
    mallopt(arena_max, 1)


def processor() -> str:
    """The processor's model by its name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def hardware() -> str:
    """The machine, in words."""
    return f"{processor()}, {os.cpu_count()} cores"
