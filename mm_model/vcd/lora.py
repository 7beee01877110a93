"""A LoRA on a Stable Diffusion checkpoint with a motion module: of a style, or of a motion.

It is added to the weights before anything is made. Files of diffusers, of peft and of the trainers
whose names begin with `lora_unet_` are read, by diffusers. Light to import.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import UserError, first_line
from mm_model.store import digests, named

_MOST = 10.0
"""Beyond it no picture is left (choice)."""


@dataclass(frozen=True)
class Lora:
    """A `.safetensors` file and how much of it is added."""

    file: Path
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Raises `UserError` on a scale that none could mean."""
        if not math.isfinite(self.scale) or abs(self.scale) > _MOST:
            raise UserError(
                f"The scale of {self.file} is {self.scale}: give -{_MOST:.0f} to {_MOST:.0f}."
            )

    @classmethod
    def of(cls, text: str) -> Lora:
        """`style.safetensors`, or `style.safetensors:0.8`.

        Raises:
            UserError: it names no path, or a scale that none could mean.
        """
        file, mark, scale = text.rpartition(":")
        try:
            found = float(scale) if mark and file else None
        except ValueError:
            found = None  # a colon of the path's own
        return cls(named.path(text)) if found is None else cls(named.path(file), found)

    def __str__(self) -> str:
        """As `of` reads it, with the whole path."""
        return f"{self.file.resolve()}:{self.scale:g}"

    def digest(self) -> str:
        """Hex SHA-256 of the file.

        Raises:
            UserError: it is no file.
        """
        if not self.file.is_file():
            raise UserError(f"{self.file} is no file: name a LoRA as .safetensors.")
        return digests.of_file(self.file)


def add_lora(pipe: Any, lora: Lora) -> None:
    """Add it to the UNet and the text encoder of diffusers' pipeline.

    Raises:
        UserError: it is a pickle or damaged, is for other networks, or peft is not installed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from mm_model.nn.networks import without_bars
    from mm_model.nn.parts import refuse_pickles

    refuse_pickles(lora.file)
    if importlib.util.find_spec("peft") is None:
        raise UserError("A LoRA is read by the package peft: install it.")
    faults = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError)
    try:
        with without_bars(), _silent():
            given = load_file(lora.file)
            pipe.load_lora_weights(given)
            _refuse_left_over(pipe, given)
            pipe.fuse_lora(lora_scale=lora.scale, safe_fusing=True)
            pipe.unload_lora_weights()
    except faults as error:
        raise UserError(
            f"{lora.file} is no LoRA for this checkpoint ({first_line(error)}): name one for "
            "Stable Diffusion 1.5."
        ) from error


def _refuse_left_over(pipe: Any, given: Mapping[str, Any]) -> None:
    """Raises `ValueError` where the networks have no place for a part of it."""
    told, _ = pipe.lora_state_dict(dict(given))
    asked = sum("lora" in name for name in told)
    parts = (pipe.unet, pipe.text_encoder)
    found = sum(".lora_" in name for part in parts for name, _ in part.named_parameters())
    if found < asked:
        raise ValueError(f"{asked - found} of its {asked} tensors fit nothing here")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The library's log says what is raised too, or what is as it should be."""
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)
