"""The machine and the environment: Python, packages, processor and GPU, disk."""

import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mm_model.doctor.diagnosis import Diagnosis, State
from mm_model.environment import hardware

OLDEST = (3, 11)
_GIB = 1 << 30
_SCARCE, _LITTLE = 1 * _GIB, 5 * _GIB
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;+]+)")
_SHOWN = 5


def python() -> Iterator[Diagnosis]:
    """Whether this Python is new enough."""
    good = sys.version_info >= OLDEST
    said = f"{platform.python_version()} in {sys.prefix}"
    fix = "" if good else "name a newer one: make setup PYTHON=python3.12"
    yield Diagnosis("Python", "good" if good else "bad", said, fix)


def packages(root: Path) -> Iterator[Diagnosis]:
    """Whether what is installed is what the tree's lock file says."""
    try:
        lines = (root / "requirements.lock").read_text().splitlines()
    except FileNotFoundError:
        yield Diagnosis("packages", "note", "no requirements.lock lies here to compare with")
        return
    wanted = {found[1]: found[2] for line in lines if (found := _PINNED.match(line))}
    other = []
    for name, version in wanted.items():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            there = "missing"
        if there.partition("+")[0] != version:
            other.append(f"{name} {there} (lock: {version})")
    if not other:
        yield Diagnosis("packages", "good", f"all {len(wanted)} as in requirements.lock")
        return
    more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    state: State = "bad" if any(" missing " in one for one in other) else "note"
    said = f"{', '.join(other[:_SHOWN])}{more}"
    yield Diagnosis("packages", state, said, "make setup")


def processor() -> Iterator[Diagnosis]:
    """The processor, and the GPU as PyTorch sees it."""
    yield Diagnosis("processor", "good", hardware())
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, whole = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Diagnosis(
                f"GPU {index}", "good", f"{name}, {free / _GIB:.1f} of {whole / _GIB:.1f} GiB free"
            )
    else:
        built = torch.version.cuda
        said = (
            f"torch {torch.__version__} was built for CUDA {built} and sees none"
            if built
            else f"none; torch {torch.__version__} was built without CUDA"
        )
        fix = "see the driver by nvidia-smi" if built else ""
        yield Diagnosis("GPU", "note" if built else "good", said, fix)


def disk(root: Path) -> Iterator[Diagnosis]:
    """Free space where the tree lies."""
    free = shutil.disk_usage(root).free
    state: State = "bad" if free < _SCARCE else "note" if free < _LITTLE else "good"
    fix = "" if state == "good" else "free some; 'dvc gc -w' drops data that no output here needs"
    yield Diagnosis("disk", state, f"{free / _GIB:.1f} GiB free at {root}", fix)
