"""Everything a resume needs, in safetensors files written aside, renamed and then sealed.

A checkpoint is one file a process, each with a part of the tensors, or of their rows where those
are sharded; any number of processes reads it. Randomness is drawn anew from (seed, step), so no
generator state is kept: a resumed run repeats the straight run bit for bit on a CPU with as many
processes. A checkpoint whose seals do not fit is passed over for the one before.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from mm_model.store import sealed
from mm_model.store.atomic import written_aside

KEEP = 2
_NAME = re.compile(r"step_(\d{8})(?:\.(\d+)-of-(\d+))?\.safetensors")
_ROWS = "@"
"""Between a tensor's name and the first of the rows that a file holds of it."""


@dataclass(frozen=True)
class Restored:
    """What the newest readable checkpoint holds: its step and the curve so far."""

    step: int
    curve: list[dict]


@dataclass(frozen=True)
class Snapshot:
    """One process's part of a checkpoint, on the CPU, where training does not change it."""

    step: int
    rank: int
    ranks: int
    tensors: dict[str, Tensor]
    curve: list[dict]

    @property
    def name(self) -> str:
        """Its file's name."""
        part = f".{self.rank}-of-{self.ranks}" if self.ranks > 1 else ""
        return f"step_{self.step:08d}{part}.safetensors"


def snapshot(
    step: int,
    parameters: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    curve: list[dict],
    *,
    rank: int = 0,
    ranks: int = 1,
    averages: Mapping[str, Tensor] | None = None,
) -> Snapshot:
    """Copies of what `rank` of `ranks` processes writes after `step`."""
    tensors = {f"model/{name}": p.detach() for name, p in parameters.items()}
    tensors |= {f"average/{name}": value for name, value in (averages or {}).items()}
    for name, parameter in parameters.items():
        for field, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{field}/{name}"] = value
    own: dict[str, Tensor] = {}
    for key in _share([k for k, v in tensors.items() if not _is_sharded(v)], tensors, rank, ranks):
        own[key] = tensors[key]
    for key, value in tensors.items():
        if _is_sharded(value) and len(value.to_local()):
            own[f"{key}{_ROWS}{_first_row(value)}"] = value.to_local()
    copies = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in own.items()}
    return Snapshot(step, rank, ranks, copies, list(curve))


def write(folder: Path, fingerprint: str, taken: Snapshot) -> Path:
    """Write the file of a snapshot; then nothing older than the newest whole two stays."""
    header = {
        "step": str(taken.step),
        "fingerprint": fingerprint,
        "curve": json.dumps(taken.curve),
    }
    target = folder / taken.name
    with written_aside(target) as aside:
        save_file(taken.tensors, aside, metadata=header)
        sealed.seal(target, fingerprint, aside)
    if taken.rank == 0:
        prune(folder, KEEP)
    return target


def prune(folder: Path, keep: int) -> None:
    """Remove what is older than the newest `keep` checkpoints of which every file is sealed."""
    found = _checkpoints(folder)
    finished = [
        c for c in found if c.is_complete and all(sealed.seal_of(f).exists() for f in c.files)
    ]
    if len(finished) < keep:
        return
    oldest = finished[keep - 1].step
    for old in found:
        if old.step < oldest:
            for file in old.files:
                sealed.remove(file)


@dataclass(frozen=True)
class _Checkpoint:
    """The files of one step that one number of processes wrote."""

    step: int
    ranks: int
    files: tuple[Path, ...]

    @property
    def is_complete(self) -> bool:
        return len(self.files) == self.ranks


def _checkpoints(folder: Path) -> list[_Checkpoint]:
    """Newest first."""
    found: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(folder.glob("step_*.safetensors")):
        if said := _NAME.fullmatch(path.name):
            found.setdefault((int(said[1]), int(said[3] or 1)), []).append(path)
    listed = sorted(found.items(), reverse=True)
    return [_Checkpoint(step, ranks, tuple(files)) for (step, ranks), files in listed]


def newest(folder: Path, fingerprint: str, say: Callable[[str], None]) -> list[str]:
    """File names of the newest whole checkpoint of this work; none where there is none.

    What is damaged, unfinished or of other work is set aside, and `say` hears of it in one line.
    """
    for found in _checkpoints(folder):
        flaws = {path: flaw for path in found.files if (flaw := sealed.flaw(path, fingerprint))}
        if not flaws and found.is_complete:
            return [path.name for path in found.files]
        for path in found.files:
            if path in flaws:
                sealed.move_aside(path)
                say(f"checkpoint {path.name} {flaws[path]}: passed over")
        if not flaws:
            has = f"{len(found.files)} of its {found.ranks} files"
            say(f"checkpoint of step {found.step} has {has}: passed over")
    return []


@torch.no_grad()
def load(
    files: Iterable[Path],
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor] | None = None,
) -> Restored | None:
    """Read the files of one checkpoint into parameters and optimiser, however those lie."""
    pieces = _Pieces(files)
    if not pieces.header:
        return None
    for name, parameter in parameters.items():
        _local(parameter).copy_(pieces.rows(f"model/{name}", parameter))
    for name, average in (averages or {}).items():
        _local(average).copy_(pieces.rows(f"average/{name}", average))
    for name, parameter in parameters.items():
        optimizer.state[parameter] = {
            field: pieces.state(f"optimizer/{field}/{name}", parameter)
            for field in pieces.fields(name)
        }
    return Restored(int(pieces.header["step"]), json.loads(pieces.header["curve"]))


class _Pieces:
    """Tensors that lie in several files, whole or some rows here and some there."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.header: dict[str, str] = {}
        self._where: dict[str, list[tuple[int, Path, str]]] = {}
        self._fields: dict[str, list[str]] = {}
        for path in files:
            with safe_open(path, framework="pt") as file:
                self.header = file.metadata() or {}
                for key in file.keys():  # noqa: SIM118
                    name, _, first = key.partition(_ROWS)
                    self._where.setdefault(name, []).append((int(first or 0), path, key))
        for name in self._where:
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                field, _, parameter = rest.partition("/")
                self._fields.setdefault(parameter, []).append(field)

    def fields(self, parameter: str) -> list[str]:
        """What the optimiser kept of a parameter."""
        return self._fields.get(parameter, [])

    def rows(self, name: str, like: Tensor) -> Tensor:
        """The tensor `name`, or the rows of it that this process holds of the sharded `like`."""
        first = _first_row(like) if _is_sharded(like) else 0
        end = first + len(_local(like)) if _is_sharded(like) else None
        found: list[Tensor] = []
        for start, path, key in sorted(self._where[name]):
            with safe_open(path, framework="pt") as file:
                piece = file.get_slice(key)
                rows = range(start, start + piece.get_shape()[0])
                low, high = (
                    max(rows.start, first),
                    rows.stop if end is None else min(rows.stop, end),
                )
                if low < high:
                    found.append(piece[low - start : high - start])
        return torch.cat(found) if found else _local(like)[:0].cpu()

    def state(self, name: str, parameter: Tensor) -> Tensor:
        """A tensor of the optimiser: laid out as its parameter, or a number on the CPU."""
        (_, path, key), *_ = self._where[name]
        with safe_open(path, framework="pt") as file:
            is_number = not file.get_slice(key).get_shape()
            if is_number:
                return file.get_tensor(key)
        local = self.rows(name, parameter).to(parameter.device)
        if not isinstance(parameter, DTensor):
            return local
        return DTensor.from_local(
            local,
            parameter.device_mesh,
            parameter.placements,
            shape=parameter.shape,
            stride=parameter.stride(),
        )


def _is_sharded(value: Tensor) -> bool:
    return isinstance(value, DTensor)


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _first_row(value: Tensor) -> int:
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    assert isinstance(value, DTensor)
    _, offset = compute_local_shape_and_global_offset(
        value.shape, value.device_mesh, value.placements
    )
    return offset[0]


def _share(keys: list[str], tensors: Mapping[str, Tensor], rank: int, ranks: int) -> list[str]:
    """Which of the tensors that all processes hold `rank` writes: about as many bytes as each."""
    loads = [0] * ranks
    own = []
    for key in sorted(keys, key=lambda k: (-tensors[k].nbytes, k)):
        lightest = loads.index(min(loads))
        loads[lightest] += tensors[key].nbytes
        if lightest == rank:
            own.append(key)
    return sorted(own)
