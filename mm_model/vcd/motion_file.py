"""A motion module in one file, under the names of AnimateDiff's own code.

Such a file holds tensors alone: widths, depths and the number of frames are read off them. Heads
and groups of norms cannot be; they are those of every published one for Stable Diffusion 1.5.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from mm_model.errors import UserError
from mm_model.nn.networks import without_bars
from mm_model.nn.parts import Keywords, refuse_pickles
from mm_model.vcd.single_file import why

_HEADS, _GROUPS = 8, 32
_FIRST = "down_blocks.0.motion_modules.0.temporal_transformer."
_WIDTH = re.compile(r"down_blocks\.(\d+)\.motion_modules\.0\.temporal_transformer\.norm\.weight")
_LAYER = re.compile(r"down_blocks\.0\.motion_modules\.\d+\.temporal_transformer\.norm\.weight")
_DEPTH = re.compile(re.escape(_FIRST) + r"transformer_blocks\.(\d+)\.norms\.0\.weight")
_FRAMES = _FIRST + "transformer_blocks.0.attention_blocks.0.pos_encoder.pe"
_FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError)
"""What the libraries raise of a file that they cannot read whole."""


def load_motion_file(file: Path, dtype: torch.dtype) -> Any:
    """diffusers' `MotionAdapter` of `file`, whole; on the CPU.

    Raises:
        UserError: it is a pickle or damaged, or no motion module under those names.
    """
    from diffusers import MotionAdapter

    refuse_pickles(file)
    try:
        with safe_open(file, "pt") as held:
            shapes = {name: tuple(held.get_slice(name).get_shape()) for name in held.keys()}  # noqa: SIM118
        with tempfile.TemporaryDirectory() as aside, without_bars():
            with torch.device("meta"):
                MotionAdapter(**_sizes(shapes)).save_config(aside)
            module = MotionAdapter.from_single_file(str(file), config=aside, local_files_only=True)
    except _FAULTS as error:
        raise UserError(
            f"{file} is no whole motion module of AnimateDiff ({why(error)}): fetch it "
            "again, or name another."
        ) from error
    return torch.nn.Module.to(module, dtype)  # the library's own warns about nothing


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> Keywords:
    """The configuration that tensors of these shapes belong to."""
    widths = {int(hit[1]): shapes[name][0] for name in shapes if (hit := _WIDTH.fullmatch(name))}
    depths = [hit for name in shapes if (hit := _DEPTH.fullmatch(name))]
    if _FRAMES not in shapes or not depths or sorted(widths) != list(range(len(widths))):
        raise ValueError(f"it lacks {_FRAMES}")
    return {
        "block_out_channels": tuple(widths[block] for block in sorted(widths)),
        "motion_layers_per_block": sum(bool(_LAYER.fullmatch(name)) for name in shapes),
        "motion_transformer_layers_per_block": len(depths),
        "motion_transformer_layers_per_mid_block": len(depths),
        "motion_num_attention_heads": _HEADS,
        "motion_norm_num_groups": _GROUPS,
        "motion_max_seq_length": shapes[_FRAMES][1],
        "use_motion_mid_block": any(name.startswith("mid_block.") for name in shapes),
    }
