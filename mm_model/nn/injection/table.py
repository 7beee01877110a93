"""Every way of an identity into a transformer: the one table, and what is looked up in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mm_model.errors import UserError
from mm_model.nn.injection import files
from mm_model.nn.injection.config import InjectionConfig
from mm_model.nn.injection.port import IdentityInjection
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter

if TYPE_CHECKING:
    from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel

INJECTIONS: tuple[type[IdentityInjection], ...] = (MagicMirrorAdapter,)


def of_preset(preset: str) -> type[IdentityInjection]:
    """The way in that has sizes of this name. Raises `UserError` when none has."""
    for kind in INJECTIONS:
        if preset in kind.PRESETS:
            return kind
    names = ", ".join(name for kind in INJECTIONS for name in kind.PRESETS)
    raise UserError(f"Unknown preset {preset!r}; choose one of {names}.")


def of_folder(folder: str | Path) -> type[IdentityInjection]:
    """The way in whose adapter lies in `folder`. Raises `UserError` when it is none of ours."""
    said, _ = files.read_description(folder)
    for kind in INJECTIONS:
        if said.get("class") == kind.CONFIG.NAME:
            return kind
    names = ", ".join(kind.CONFIG.NAME for kind in INJECTIONS)
    raise UserError(
        f"The adapter configuration in {folder} is of class {said.get('class')!r}, version "
        f"{said.get('version')!r}; this program reads {names}."
    )


def read_config(folder: str | Path) -> InjectionConfig:
    """The configuration of the adapter in `folder`."""
    said, _ = files.read_description(folder)
    return of_folder(folder).CONFIG.from_dict(said)


def read(
    folder: str | Path,
    transformer: MagicMirrorTransformer3DModel,
    recognizer_sha256: str | None = None,
    dtype: torch.dtype | None = None,
) -> IdentityInjection:
    """The adapter in `folder`, put into `transformer`: see `IdentityInjection.from_pretrained`."""
    return of_folder(folder).from_pretrained(folder, transformer, recognizer_sha256, dtype)
