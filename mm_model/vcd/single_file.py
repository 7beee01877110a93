"""A Stable Diffusion 1.5 checkpoint in one file, as most are handed round.

Such a file holds tensors under the names of the original code and says nothing of sizes or words:
configurations and tokenizer are those of the checkpoint that a subject was learned on.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError

from mm_model.errors import UserError, first_line
from mm_model.nn.networks import without_bars
from mm_model.nn.parts import refuse_pickles
from mm_model.vcd.stable_diffusion import NETWORKS, StableDiffusion

_FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError)
"""What the library raises of a file that it cannot read whole."""


def load_single_file(
    file: Path, like: Path, device: torch.device, dtype: torch.dtype
) -> StableDiffusion:
    """The checkpoint of `file`, whole; tensors beyond those that are needed are left alone.

    like: a checkpoint of the same family in diffusers' layout.

    Raises:
        UserError: it is a pickle or damaged, lacks a tensor, or is of another family than `like`.
    """
    from diffusers import DDPMScheduler, StableDiffusionPipeline
    from diffusers.loaders.single_file_utils import SingleFileComponentError

    refuse_pickles(file)
    if not (like / "model_index.json").is_file():
        raise UserError(
            f"{like} has no model_index.json, which says how {file} is to be read: name a whole "
            "checkpoint in diffusers' layout instead of the file."
        )
    try:
        with without_bars():
            pipe = StableDiffusionPipeline.from_single_file(
                str(file),
                config=str(like),
                local_files_only=True,
                torch_dtype=dtype,
                safety_checker=None,
            )
        parts = {name: getattr(pipe, name) for name in NETWORKS}
        for name, part in parts.items():
            lacking = [key for key, tensor in part.state_dict().items() if tensor.is_meta]
            if lacking:
                raise ValueError(f"it lacks {name}'s {lacking[0]}")
    except (*_FAULTS, SingleFileComponentError) as error:
        raise UserError(
            f"{file} is no whole checkpoint of the family of {like} ({why(error)}): fetch it "
            "again, or name another."
        ) from error
    return StableDiffusion(
        **{name: part.to(device).requires_grad_(False).eval() for name, part in parts.items()},
        tokenizer=pipe.tokenizer,
        scheduler=DDPMScheduler.from_config(pipe.scheduler.config),
    )


def why(error: Exception) -> str:
    """What is wrong with such a file, in words, of what the library raised."""
    if "meta tensor" in str(error):
        return "it lacks a tensor"
    return first_line(error)
