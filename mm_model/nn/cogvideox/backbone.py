"""Loading a backbone folder: diffusers' CogVideoX layout plus `identity_encoder/`, safetensors
only.

Every part comes from the local folder or from the caller; nothing is downloaded. Frozen parts
arrive in eval mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from mm_model.diffusion.schedule import load_schedule
from mm_model.errors import UserError, first_line
from mm_model.nn.cogvideox.tokenizer import load_tokenizer
from mm_model.nn.identity.encoder import FOLDER, IdentityEncoder
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.nn.parts import (
    Dtypes,
    Keywords,
    check_kind,
    check_transformer,
    dtypes_by_part,
    refuse_pickles,
    variant_in,
)

PARTS = ("tokenizer", "text_encoder", "vae", "transformer", "scheduler")
_WEIGHTY = ("text_encoder", "vae", "transformer")


def load_vae(
    base: str | Path, torch_dtype: torch.dtype | None = None, variant: str | None = None
) -> Any:
    """The VAE of a backbone folder, frozen and in eval mode."""
    from diffusers import AutoencoderKLCogVideoX

    return _load(AutoencoderKLCogVideoX, Path(base) / "vae", torch_dtype, variant)


def load_text_encoder(
    base: str | Path, torch_dtype: torch.dtype | None = None, variant: str | None = None
) -> Any:
    """The T5 encoder of a backbone folder, frozen and in eval mode (its dropout must be off)."""
    from transformers import T5EncoderModel

    # So it lists tensors of another shape, which `_load` refuses, instead of raising without names.
    options: Keywords = {"ignore_mismatched_sizes": True}
    return _load(T5EncoderModel, Path(base) / "text_encoder", torch_dtype, variant, **options)


def load_transformer(
    base: str | Path, torch_dtype: torch.dtype | None = None, variant: str | None = None
) -> MagicMirrorTransformer3DModel:
    """The DiT of a backbone folder, frozen and in eval mode, without adapter."""
    from diffusers import CogVideoXTransformer3DModel

    plain = _load(CogVideoXTransformer3DModel, Path(base) / "transformer", torch_dtype, variant)
    return MagicMirrorTransformer3DModel.from_base(plain)


def load_identity_encoder(
    base: str | Path, torch_dtype: torch.dtype | None = None
) -> IdentityEncoder | None:
    """The identity encoder of a backbone folder, or None when the folder has none."""
    folder = Path(base) / FOLDER
    return IdentityEncoder.from_pretrained(folder, torch_dtype) if folder.is_dir() else None


def load_components(
    base: str | Path,
    torch_dtype: Dtypes = None,
    variant: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> Keywords:
    """All parts of a backbone folder by name; those in `given` are taken as they are, None too.

    `variant` is that of the weights' files, for the parts that have it. Raises `UserError` naming
    what is missing, a pickle file, a backbone of another kind, or a variant that no part has.
    """
    base, given = Path(base), dict(given or {})
    refuse_pickles(base)
    missing = [name for name in PARTS if name not in given and not (base / name).is_dir()]
    if missing or not (base / "model_index.json").is_file():
        raise UserError(
            f"{base} is not a CogVideoX folder: {', '.join(missing) or 'model_index.json'} "
            "missing; name a "
            "folder in the diffusers layout."
        )
    check_kind(base)
    dtypes = dtypes_by_part(torch_dtype)
    variants = {name: variant_in(base / name, variant) for name in _WEIGHTY if name not in given}
    if variant is not None and not any(variants.values()):
        raise UserError(
            f"{base} holds no safetensors files of the variant {variant!r}; leave variant out, or "
            "name one that it has."
        )
    readers: dict[str, Callable[[], Any]] = {
        "tokenizer": lambda: load_tokenizer(base / "tokenizer"),
        "scheduler": lambda: load_schedule(base / "scheduler"),
        "identity_encoder": lambda: load_identity_encoder(base, dtypes["identity_encoder"]),
    }
    for name, load in zip(_WEIGHTY, (load_text_encoder, load_vae, load_transformer), strict=True):
        if name in variants:  # what is given needs no reader
            readers[name] = partial(load, base, dtypes[name], variants[name])
    parts = {name: read() for name, read in readers.items() if name not in given}
    return parts | given


def check_parts(**given: Any) -> None:
    """Raise `UserError` naming a part that is not what belongs there; None leaves one out."""
    from diffusers import CogVideoXTransformer3DModel
    from diffusers.utils.torch_utils import unwrap_module

    from mm_model.nn.injection.port import IdentityInjection

    kinds = {
        "transformer": (CogVideoXTransformer3DModel, "a CogVideoX transformer"),
        "identity_encoder": (IdentityEncoder, "an IdentityEncoder (from_pretrained reads one)"),
        "adapter": (IdentityInjection, "a MagicMirrorAdapter (load_adapter reads a folder)"),
    }
    has = {
        "tokenizer": (("__call__", "pad_token_id"), "a tokenizer"),
        "scheduler": (("step", "config"), "a scheduler"),
        "vae": (("decode", "config"), "a CogVideoX VAE"),
        "text_encoder": (("forward", "config"), "a T5 encoder"),
    }
    for name, part in given.items():
        if part is None:
            continue
        wanted = kinds[name][1] if name in kinds else has[name][1]
        if name in kinds:
            fits = isinstance(unwrap_module(part), kinds[name][0])
        else:
            fits = all(hasattr(part, attribute) for attribute in has[name][0])
        if not fits:
            raise UserError(
                f"{name} is {type(part).__name__}; give {wanted} that is loaded already."
            )


def taken_over(given: Any, vae: Any | None) -> Any:
    """A transformer of ours as it is; a plain CogVideoX one in our class, its tensors shared.

    Raises `UserError` on CogVideoX 1.5 and on one that takes more than the latents of `vae`.
    """
    from diffusers.utils.torch_utils import unwrap_module

    check_parts(transformer=given)
    plain = unwrap_module(given)
    check_transformer(plain.config, "The transformer")
    channels = plain.config.in_channels
    if vae is not None and channels != vae.config.latent_channels:
        raise UserError(
            f"The transformer takes {channels} channels, but the VAE makes "
            f"{vae.config.latent_channels}: it was made for more than text; use a CogVideoX 1.0 "
            "text-to-video backbone."
        )
    if isinstance(plain, MagicMirrorTransformer3DModel):
        return given
    return MagicMirrorTransformer3DModel.from_base(plain)


def _load(
    cls: Any, folder: Path, torch_dtype: torch.dtype | None, variant: str | None, **more: Any
) -> Any:
    """from_pretrained of a local folder with safetensors; a failure names the folder.

    What a file lacks the libraries would fill with random numbers: that is refused.
    """
    refuse_pickles(folder)
    options: Keywords = more | {
        "use_safetensors": True,
        "local_files_only": True,
        "output_loading_info": True,
    }
    if torch_dtype is not None:
        options["torch_dtype"] = torch_dtype
    if variant is not None:
        options["variant"] = variant
    try:
        model, told = cls.from_pretrained(str(folder), **options)
    except (OSError, ValueError, SafetensorError) as error:  # ValueError: diffusers, of a shape
        raise UserError(
            f"{folder} could not be loaded from safetensors files: {first_line(error)}"
        ) from error
    # A name that only an index holds is not told, and its tensor has no storage.
    empty = [name for name, value in model.named_parameters() if value.is_meta]
    found = {*told["missing_keys"], *map(str, told["mismatched_keys"]), *empty}
    if lacking := sorted(found):
        raise UserError(
            f"{folder}: {len(lacking)} tensors are missing or of another shape (first: "
            f"{lacking[0]}): fetch the folder again, it is not whole."
        )
    return model.requires_grad_(False).eval()
