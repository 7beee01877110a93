"""The checkpoint of a training of the shipped weights and the one before it, both sealed.

A damaged one is set aside and the other taken, which one line says. What is in them is the
trainings' business.
"""

from collections.abc import Callable
from pathlib import Path

from mm_model.store import atomic, sealed

NAME = "checkpoint.safetensors"
BEFORE = "checkpoint.before.safetensors"
_ORIGIN = "foundry"


def write(folder: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write the new checkpoint; the one that was there becomes the one before."""
    target = folder / NAME
    if target.is_file():
        sealed.keep_copy(target, folder / BEFORE)
    with atomic.written_aside(target) as aside:
        save(aside)
        sealed.seal(target, _ORIGIN, aside)


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint of `folder`, or None."""
    for path in (folder / NAME, folder / BEFORE):
        if not path.exists():
            continue
        if (flaw := sealed.flaw(path, _ORIGIN)) is None:
            return path
        sealed.move_aside(path)
        print(f"{path} {flaw}: passed over", flush=True)
    return None
