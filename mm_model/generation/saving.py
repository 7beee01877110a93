"""A whole pipeline as one folder, and the arguments under which such a folder is opened.

The folder is CogVideoX's own layout, readable by the stock pipeline, with `identity_encoder/` and
`adapter/` below. Written aside and moved into place whole.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, of_machine
from mm_model.nn.cogvideox.backbone import PARTS
from mm_model.nn.magic_mirror.config import IDENTITY_FOLDER
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.nn.parts import Dtypes, Keywords, dtype_named
from mm_model.store.atomic import publish_folder

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline

ADAPTER_FOLDER = "adapter"
_KNOWN = ("dtype", "use_safetensors", "local_files_only", "low_cpu_mem_usage")
"""Arguments of diffusers that change nothing here, or that are read by name below."""


def components_given(given: Mapping[str, Any], identity_encoder: Any, of_folder: str) -> Keywords:
    """Parts that the caller brings along, None included. Raises `UserError` on other names."""
    unknown = sorted(set(given) - {*PARTS, *_KNOWN})
    if unknown:
        raise UserError(
            f"from_pretrained does not take {unknown[0]}; it takes adapter, identity_encoder, "
            f"torch_dtype, variant and the components {', '.join(PARTS)}, from local folders."
        )
    if given.get("use_safetensors") is False:
        raise UserError("use_safetensors=False asks for pickle files; only safetensors are loaded.")
    parts = {name: given[name] for name in PARTS if name in given}
    if not isinstance(identity_encoder, str) or identity_encoder != of_folder:
        parts["identity_encoder"] = identity_encoder
    return parts


def dtype_given(torch_dtype: Dtypes, given: Mapping[str, Any]) -> Dtypes:
    """`torch_dtype`, or diffusers' newer name for it, `dtype`."""
    if torch_dtype is not None and given.get("dtype") is not None:
        raise UserError("torch_dtype and dtype are one argument under two names; give one.")
    return given.get("dtype") if torch_dtype is None else torch_dtype


def of_pipe(pipeline: Any, given: Mapping[str, Any]) -> Keywords:
    """Arguments of `from_pipe`, its `torch_dtype` also by name; it casts all parts to one."""
    from diffusers import DiffusionPipeline

    if not isinstance(pipeline, DiffusionPipeline):
        raise UserError(
            f"pipeline is {type(pipeline).__name__}; give a pipeline of diffusers, or open a "
            "folder with from_pretrained."
        )
    asked = given.get("torch_dtype")
    if isinstance(asked, Mapping):
        raise UserError(
            "from_pipe casts all parts to one torch_dtype; give a dtype or its name, and cast "
            "single parts with .to(dtype) afterwards."
        )
    return {**given, **({"torch_dtype": dtype_named(asked)} if asked is not None else {})}


def save(pipe: MagicMirrorPipeline, folder: Path, safe: bool, push: bool, **options: Any) -> None:
    """Write every part of `pipe` below `folder`, which must be new or empty."""
    missing = [name for name in PARTS if getattr(pipe, name) is None]
    if not safe:
        raise UserError(
            "safe_serialization=False asks for pickle files; only safetensors are "
            "written: leave it out."
        )
    if push:
        raise UserError(
            "push_to_hub is not available: nothing is sent anywhere; save the folder "
            "and upload it yourself."
        )
    if missing:
        raise UserError(
            f"The pipeline has no {missing[0]}, so it is no whole folder; write the "
            "adapter with save_adapter(folder) instead."
        )
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UserError(f"{folder} holds something already; name a new or an empty folder.")
    aside = folder.absolute().with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.aside")
    try:
        _write(pipe, aside, options)
        publish_folder(aside, folder.absolute())
    except OSError as error:
        raise of_machine(error, "nothing half written stays") or error from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(pipe: MagicMirrorPipeline, folder: Path, options: Keywords) -> None:
    from diffusers import CogVideoXPipeline
    from diffusers.utils.torch_utils import unwrap_module

    parts = {name: getattr(pipe, name) for name in PARTS}
    transformer = unwrap_module(pipe.transformer)  # a plain one may have been assigned
    is_ours = isinstance(transformer, MagicMirrorTransformer3DModel)
    parts["transformer"] = transformer.to_base() if is_ours else transformer
    if pipe.identity_encoder is not None:
        pipe.identity_encoder.save_pretrained(folder / IDENTITY_FOLDER)
    if pipe.adapter is not None:
        pipe.adapter.save_pretrained(folder / ADAPTER_FOLDER)
    CogVideoXPipeline(**parts).save_pretrained(folder, **options)
