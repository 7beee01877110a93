"""Loading a backbone folder: diffusers' CogVideoX layout plus `identity_encoder/`, safetensors
only.

Every part comes from the local folder; nothing is downloaded. Frozen parts arrive in eval mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mm_model.diffusion.schedule import load_schedule
from mm_model.errors import UserError
from mm_model.nn.identity_encoder import FOLDER, IdentityEncoder
from mm_model.nn.tokenizer import load_tokenizer
from mm_model.nn.transformer import MagicMirrorTransformer3DModel

PARTS = ("tokenizer", "text_encoder", "vae", "transformer", "scheduler")


def load_vae(base: str | Path, torch_dtype: torch.dtype | None = None) -> Any:
    """The VAE of a backbone folder, frozen and in eval mode."""
    from diffusers import AutoencoderKLCogVideoX

    return _load(AutoencoderKLCogVideoX, Path(base) / "vae", torch_dtype)


def load_text_encoder(base: str | Path, torch_dtype: torch.dtype | None = None) -> Any:
    """The T5 encoder of a backbone folder, frozen and in eval mode (its dropout must be off)."""
    from transformers import T5EncoderModel

    return _load(T5EncoderModel, Path(base) / "text_encoder", torch_dtype)


def load_identity_encoder(
    base: str | Path, torch_dtype: torch.dtype | None = None
) -> IdentityEncoder | None:
    """The identity encoder of a backbone folder, or None when the folder has none."""
    folder = Path(base) / FOLDER
    return IdentityEncoder.from_pretrained(folder, torch_dtype) if folder.is_dir() else None


def load_components(base: str | Path, torch_dtype: torch.dtype | None = None) -> dict[str, Any]:
    """All parts of a backbone folder by name. Raises `UserError` naming what is missing."""
    base = Path(base)
    missing = [name for name in PARTS if not (base / name).is_dir()]
    if missing or not (base / "model_index.json").is_file():
        raise UserError(
            f"{base} is not a CogVideoX folder: {', '.join(missing) or 'model_index.json'} "
            "missing; name a "
            "folder in the diffusers layout."
        )
    return {
        "tokenizer": load_tokenizer(base / "tokenizer"),
        "text_encoder": load_text_encoder(base, torch_dtype),
        "vae": load_vae(base, torch_dtype),
        "transformer": MagicMirrorTransformer3DModel.from_base(base, torch_dtype, "transformer"),
        "scheduler": load_schedule(base / "scheduler"),
        "identity_encoder": load_identity_encoder(base, torch_dtype),
    }


def _load(cls: Any, folder: Path, torch_dtype: torch.dtype | None) -> Any:
    """from_pretrained of a local folder with safetensors; a failure names the folder."""
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    if torch_dtype is not None:
        options["torch_dtype"] = torch_dtype
    try:
        model = cls.from_pretrained(str(folder), **options)
    except OSError as error:
        raise UserError(f"{folder} could not be loaded from safetensors files: {error}") from error
    return model.requires_grad_(False).eval()
