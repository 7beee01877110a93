"""How the parts of a backbone folder are asked for: dtypes, a variant, what is refused by name.

Looks at names and configurations alone; nothing is loaded here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch

from mm_model.errors import UserError

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
Dtype: TypeAlias = torch.dtype | str | None
Dtypes: TypeAlias = torch.dtype | str | Mapping[str, torch.dtype | str] | None
"""A dtype, its name, or either by component (`default` for those that are not named)."""
Keywords: TypeAlias = dict[str, Any]
"""Arguments of a library's class or call by name, as its own configuration files spell them."""
WITH_DTYPE = ("text_encoder", "vae", "transformer", "identity_encoder", "adapter")


def dtype_named(asked: torch.dtype | str | None) -> torch.dtype | None:
    """The dtype, also by name (`"bfloat16"`). Raises `UserError` when there is none such."""
    if asked is None:
        return None
    found = getattr(torch, asked.removeprefix("torch."), None) if isinstance(asked, str) else asked
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UserError(
            f"torch_dtype is {asked!r}; give a dtype such as torch.bfloat16, its name 'bfloat16', "
            f"or a dict of these by component ({', '.join(WITH_DTYPE)}, default)."
        )
    return found


def dtypes_by_part(asked: Dtypes) -> dict[str, torch.dtype | None]:
    """The dtype of each part of `WITH_DTYPE`; None where the reader decides.

    As in diffusers, a dict without `default` means float32 for the parts it does not name; only the
    adapter then follows the transformer.
    """
    if not isinstance(asked, Mapping):
        return dict.fromkeys(WITH_DTYPE, dtype_named(asked))
    if unknown := sorted(set(asked) - {*WITH_DTYPE, "default"}):
        raise UserError(
            f"torch_dtype names {unknown[0]!r}, which is no component with weights; choose from "
            f"{', '.join(WITH_DTYPE)} and default."
        )
    default = dtype_named(asked.get("default", torch.float32))
    found = {name: dtype_named(asked.get(name, default)) for name in WITH_DTYPE}
    if "adapter" not in asked:
        found["adapter"] = None
    return found


def variant_in(folder: Path, variant: str | None) -> str | None:
    """`variant` where the folder holds safetensors files of that variant, else None."""
    if variant is None:
        return None
    if not isinstance(variant, str):
        raise UserError(f"variant is {variant!r}; give a name such as 'fp16', or leave it out.")
    named = re.compile(rf"\.{re.escape(variant)}[.-]")
    return variant if any(named.search(p.name) for p in folder.glob("*.safetensors*")) else None


def path_of(folder: Any, name: str = "folder") -> Path:
    """`folder` as a path, or `UserError` where the argument `name` is none."""
    if not isinstance(folder, str | os.PathLike):
        raise UserError(f"{name} is {type(folder).__name__}; give the path of a local folder.")
    return Path(folder)


def refuse_pickles(folder: str | Path) -> None:
    """Raise `UserError` naming a pickle file where `folder` is one, or holds nothing better."""
    folder = path_of(folder)
    files = [folder]
    if folder.is_dir():
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if any(".safetensors" in path.name for path in files):
            return
    for path in files:
        if path.suffix.lower() in PICKLES:
            raise UserError(
                f"{path} is a pickle file, which may run code when it is read; only safetensors "
                "files are loaded: fetch those, or convert it where you trust it."
            )


def check_lora(source: Any, weight_name: str | None = None) -> None:
    """Raise `UserError` unless `source` is a state dict, or local and no pickle."""
    if isinstance(source, Mapping):
        return
    folder = path_of(source, "The LoRA")
    if not folder.exists():
        raise UserError(
            f"{folder} is no folder or file here, and nothing is downloaded; fetch the LoRA and "
            "name the folder, or give its state dict."
        )
    refuse_pickles(folder / (weight_name or ""))


def check_kind(base: Path) -> None:
    """Raise `UserError` naming a backbone of another kind than CogVideoX 1.0, text to video."""
    index = _config(base / "model_index.json").get("_class_name", "")
    if isinstance(index, str) and index.startswith("CogVideoX") and index != "CogVideoXPipeline":
        raise UserError(
            f"{base} holds a {index}, which makes clips of something else than text; "
            "use a CogVideoX 1.0 text-to-video folder."
        )
    check_transformer(_config(base / "transformer" / "config.json"), str(base))


def check_transformer(config: Mapping[str, Any], name: str) -> None:
    """Raise `UserError` where a transformer's configuration is of CogVideoX 1.5."""
    if config.get("patch_size_t") is not None:
        raise UserError(
            f"{name} is a CogVideoX 1.5 backbone (patch_size_t is {config['patch_size_t']}), which "
            "is not supported; use CogVideoX 1.0 (CogVideoX-2b or CogVideoX-5b)."
        )


def _config(path: Path) -> Keywords:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # whoever loads the part says what is wrong with it
    return data if isinstance(data, dict) else {}
