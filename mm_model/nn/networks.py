"""Networks of a published image model in diffusers' layout, read strictly, one folder each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mm_model.errors import UserError, first_line
from mm_model.nn.parts import Keywords, refuse_pickles

_FORGIVEN = ("position_ids",)
"""Left in older files, and no weight."""

_HALF = "fp16"


@contextmanager
def without_bars() -> Iterator[None]:
    """The libraries' own progress bars are off, and afterwards as they were."""
    from diffusers.utils import logging as theirs
    from transformers.utils import logging as others

    shown = [chatter for chatter in (theirs, others) if chatter.is_progress_bar_enabled()]
    try:
        for chatter in shown:
            chatter.disable_progress_bar()
        yield
    finally:
        for chatter in shown:
            chatter.enable_progress_bar()


def load_network(folder: Path, kind: tuple[str, str], dtype: torch.dtype, model: str) -> Any:
    """One network, frozen, with every tensor of its file and no other.

    kind: the library and its class. model: what the checkpoint is called in a refusal.

    Raises:
        UserError: it holds a pickle, is damaged, or a tensor is missing, unknown or misshapen.
    """
    refuse_pickles(folder)
    library, name = kind
    options: Keywords = {"use_safetensors": True, "local_files_only": True, "torch_dtype": dtype}
    if _variant_of(folder) is not None:
        options["variant"] = _variant_of(folder)
    try:
        network, info = getattr(importlib.import_module(library), name).from_pretrained(
            str(folder), output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder} could not be loaded from safetensors files: {first_line(error)}: fetch the "
            "checkpoint again."
        ) from error
    for kept, word in (
        ("missing_keys", "lacks the tensor"),
        ("unexpected_keys", "holds the unknown tensor"),
        ("mismatched_keys", "holds the misshapen tensor"),
    ):
        wrong = sorted(str(key) for key in info.get(kept, ()) if not str(key).endswith(_FORGIVEN))
        if wrong:
            raise UserError(
                f"{folder} {word} {wrong[0]!r} ({len(wrong)} such): it is no whole {model} "
                "checkpoint; fetch it again."
            )
    return network.requires_grad_(False).eval()


def files_read(folder: Path) -> list[Path]:
    """What `load_network` reads of a network's folder: its configuration, and of several variants
    of its weights, as published folders hold them, one.
    """
    wanted = _variant_of(folder)
    weights = [path for path in _weights(folder) if _variant(path) == wanted]
    return sorted([*folder.glob("*.json"), *weights])


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _variant(path: Path) -> str | None:
    """`fp16` of `model.fp16.safetensors` and of its shards, None of `model.safetensors`."""
    _, *between, _ = path.name.split(".")
    return between[0].partition("-")[0] if between else None


def _variant_of(folder: Path) -> str | None:
    """The variant to read: the plain one where there is one or no half-precision one."""
    found = {_variant(path) for path in _weights(folder)}
    return _HALF if None not in found and _HALF in found else None
