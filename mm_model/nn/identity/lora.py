"""The LoRA of a PhotoMaker file, added into the weights it is meant for, and held to them.

Each pair of matrices is added once, in float32, so that nothing of it is left to load or to run at
every step; diffusers' own loader, with peft, gives the same weights. Names are read by diffusers'
converters, which know the spellings of several years.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mm_model.errors import UserError

DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def add_lora(parts: Mapping[str, nn.Module], state: Mapping[str, Tensor], path: Path) -> int:
    """Add the LoRA `state` to the modules `parts` (unet, text_encoder, text_encoder_2).

    W becomes W + up down, as the published script does at scale 1. Returns how many modules were
    changed; none is unless all can be.

    Raises `UserError` naming a tensor that has no module, no other half, or another shape.
    """
    found: dict[str, dict[str, Tensor]] = {name: {} for name in parts}
    for key, value in state.items():
        part, _, name = key.partition(".")
        if part not in found:
            raise UserError(
                f"{path}: the LoRA's tensor {key!r} belongs to none of {', '.join(parts)}: it is "
                "not the LoRA of a PhotoMaker file for SDXL."
            )
        found[part][name] = value
    changes = [
        change
        for part, tensors in found.items()
        for change in _changes(part, parts[part], _named(part, tensors), path)
    ]
    with torch.no_grad():
        for weight, down, up in changes:
            delta = up.flatten(1).float() @ down.flatten(1).float()
            weight.copy_(weight.float() + delta.reshape(weight.shape).to(weight.device))
    return len(changes)


def _named(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` under the names of today: `<module>.lora_A.weight` and `<module>.lora_B.weight`."""
    from diffusers.utils import convert_state_dict_to_peft, convert_unet_state_dict_to_peft

    if not tensors or all(name.endswith((DOWN, UP)) for name in tensors):
        return tensors
    try:
        convert = convert_unet_state_dict_to_peft if part == "unet" else convert_state_dict_to_peft
        return convert(tensors)
    except ValueError:
        return tensors  # a spelling that nobody knows: its first tensor is named


def _changes(
    part: str, module: nn.Module, tensors: Mapping[str, Tensor], path: Path
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Weight, down and up of each module that the LoRA changes."""
    modules, found = dict(module.named_modules()), []
    for name in sorted(tensors):
        if not name.endswith((DOWN, UP)):
            raise UserError(
                f"{path}: the LoRA's tensor '{part}.{name}' is neither half of a pair: it is not "
                "the LoRA of a PhotoMaker file for SDXL."
            )
        stem = name.removesuffix(DOWN).removesuffix(UP)
        other = stem + (UP if name.endswith(DOWN) else DOWN)
        # transformers has dropped this prefix from one of the two text encoders.
        place = modules.get(stem) or modules.get(stem.removeprefix("text_model."))
        weight = getattr(place, "weight", None)
        if other not in tensors or not isinstance(weight, Tensor):
            lost = "has no place in the checkpoint"
            if other not in tensors:
                lost = f"lacks its other half '{part}.{other}'"
            raise UserError(
                f"{path}: the LoRA's tensor '{part}.{name}' {lost}: the file is not whole, or was "
                "made for another checkpoint."
            )
        if name.endswith(UP):
            continue
        down, up = tensors[name], tensors[other]
        rank = down.shape[0]
        fits = up.shape[:2] == (weight.shape[0], rank) and down[0].numel() == weight[0].numel()
        if not fits or up[0].numel() != rank:
            raise UserError(
                f"{path}: the LoRA's tensor '{part}.{name}' has the shape {list(down.shape)}, its "
                f"other half {list(up.shape)}, and the weight is {list(weight.shape)}: the file "
                "was made for another checkpoint than this SDXL."
            )
        found.append((weight, down, up))
    return found
