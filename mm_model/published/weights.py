"""What a folder of safetensors holds, read off the files' headers: no tensor is loaded.

An interrupted fetch is told here in a second, not after minutes of loading.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.nn.injection.files import load_json
from mm_model.store.atomic import Document

_LENGTH = 8
"""Bytes that say how long the header of a safetensors file is."""


@dataclass(frozen=True)
class WeightFiles:
    """The weights of one part: how many files and tensors, and numbers by dtype."""

    files: int
    tensors: int
    parameters: int
    size: int
    dtypes: dict[str, int]

    def as_dict(self) -> Document:
        """JSON-ready."""
        return {
            "files": self.files,
            "tensors": self.tensors,
            "parameters": self.parameters,
            "bytes": self.size,
            "dtypes": self.dtypes,
        }


def weights_in(folder: Path) -> WeightFiles:
    """The weights in `folder`, sharded by an index or in one file; each is whole.

    Raises:
        UserError: a file is missing, cut short, or no safetensors.
    """
    paths = files_of(folder)
    headers = [_header(path) for path in paths]
    entries = [entry for header in headers for entry in header.values()]
    dtypes: Counter[str] = Counter()
    for entry in entries:
        dtypes[entry["dtype"]] += math.prod(entry["shape"])
    return WeightFiles(
        files=len(paths),
        tensors=len(entries),
        parameters=sum(dtypes.values()),
        size=sum(path.stat().st_size for path in paths),
        dtypes=dict(sorted(dtypes.items())),
    )


def shapes_in(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in `folder` by name; raises `UserError` as `weights_in` does."""
    headers = [_header(path) for path in files_of(folder)]
    return {name: tuple(said["shape"]) for header in headers for name, said in header.items()}


def files_of(folder: Path) -> list[Path]:
    """The weight files that a loader reads in `folder`: those of its index, or the one there is.

    Raises:
        UserError: there is none, or one that the index names is missing.
    """
    usual = [p for p in folder.glob("*.safetensors.index.json") if p.name.count(".") == 3]
    if usual:
        names = _named_by(usual[0])
        missing = [name for name in names if not (folder / name).is_file()]
        if missing or not names:
            what = f"{missing[0]} is missing" if missing else "it names no file"
            raise UserError(f"{usual[0]}: {what}: fetch the folder again, it is not whole.")
        return [folder / name for name in names]
    found = sorted(path for path in folder.glob("*.safetensors") if path.name.count(".") == 1)
    if len(found) != 1:
        what = "no .safetensors file of its own" if not found else f"{len(found)} without an index"
        raise UserError(
            f"{folder} holds {what}: fetch the checkpoint again, whole and in that format (a file "
            "of a variant, such as .fp16.safetensors, does not stand for it)."
        )
    return found


def _named_by(index: Path) -> list[str]:
    """The files that an index names, all of its own folder."""
    places = load_json(index).get("weight_map", {})
    names = list(places.values()) if isinstance(places, dict) else [places]
    strange = [n for n in names if not isinstance(n, str) or n != Path(n).name]
    if strange:
        raise UserError(
            f"{index} names {str(strange[0])[:60]!r}, which is no file beside it: fetch it again."
        )
    return sorted(set(names))


def _header(path: Path) -> dict[str, Document]:
    """Tensors of a safetensors file by name: dtype, shape, place."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(_LENGTH))
            said = json.loads(file.read(min(length, path.stat().st_size)))
        said.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in said.values()), default=0)
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is no whole safetensors file: fetch it again.") from None
    if path.stat().st_size != _LENGTH + length + end:
        raise UserError(
            f"{path} has {path.stat().st_size:,} bytes where its header says "
            f"{_LENGTH + length + end:,}: it was cut short, fetch it again."
        )
    return said
