"""Reading the PhotoMaker-V2 identity encoder: strict key list, conversion to safetensors.

Only CLIP and the identity perceiver are used here; the parts of SDXL's side are listed, and
`stacked.py` reads them. A pickle is read with `weights_only=True` alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.recognizer import FaceEmbedder
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.nn.injection.files import load_tensors, save_tensors
from mm_model.nn.magic_mirror.presets import CLIP_VIT_L14, ID_PERCEIVER_V2

VISION_PREFIX = "vision_model."
PERCEIVER_PREFIX = "qformer_perceiver."
ENCODER, LORA = "id_encoder", "lora_weights"
"""The two dictionaries of the published file, and the prefixes of both in safetensors."""
# SDXL's projections and its 2048-d fusion module; Magic Mirror fuses in T5 space instead.
DROPPED_KEYS = (
    "visual_projection.weight",
    "visual_projection_2.weight",
    *(
        f"fuse_module.{mlp}.{layer}.{kind}"
        for mlp in ("mlp1", "mlp2")
        for layer in ("layernorm", "fc1", "fc2")
        for kind in ("weight", "bias")
    ),
    "fuse_module.layer_norm.weight",
    "fuse_module.layer_norm.bias",
)


def convert_photomaker_v2(source: str | Path, target: str | Path, lora: bool = False) -> str:
    """Convert `photomaker-v2.bin` to safetensors with the same 463 names; returns the SHA-256.

    The pickle is read with `weights_only=True`. Its `lora_weights` (for SDXL) are left behind, or
    kept with `lora`: both parts then stand under their own prefix, as a synthesiser reads them.
    """
    parts = read_pickle(Path(source))
    state = parts[ENCODER]
    if lora:
        state = {f"{name}.{key}": value for name in parts for key, value in parts[name].items()}
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_tensors(target, {key: value.clone() for key, value in state.items()})


def read_pickle(source: Path) -> dict[str, dict[str, Tensor]]:
    """The dictionaries of `photomaker-v2.bin`: `id_encoder`, and `lora_weights` where it has one.

    Raises `UserError` for a file that is absent or another.
    """
    if not source.is_file():
        what = "is a folder" if source.is_dir() else "is missing"
        raise UserError(f"{source} {what}; name the photomaker-v2.bin file.")
    data = tensors_of_pickle(source, "fetch photomaker-v2.bin again", mmap=True)
    parts = {name: data.get(name) for name in (ENCODER, LORA)} if isinstance(data, dict) else {}
    if not isinstance(parts.get(ENCODER), dict):
        raise UserError(
            f"{source} is not a PhotoMaker-V2 file, it has no 'id_encoder' dictionary: fetch "
            "photomaker-v2.bin again."
        )
    found = {name: part for name, part in parts.items() if isinstance(part, dict)}
    for part in found.values():
        for key, value in part.items():
            if not isinstance(key, str) or not isinstance(value, Tensor):
                raise UserError(
                    f"{source} holds {str(key)[:60]!r}, which is no tensor by name: fetch "
                    "photomaker-v2.bin again."
                )
    return found


def tensors_of_pickle(source: Path, way_out: str, mmap: bool = False) -> Any:
    """What a file of `torch.save` holds, read with `weights_only=True`.

    Raises `UserError` where it holds anything but tensors and plain values, or is no such file.
    torch's own words are left out: they advise to read it unsafely.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except UnpicklingError:
        why = "it is no file of torch.save, or holds more than tensors, which may run code"
    except PermissionError:
        raise
    except Exception:  # torch has several for a file that is none of its own, or cut short
        why = "it is no whole file of torch.save"
    raise UserError(f"{source} cannot be read as a dictionary of tensors ({why}): {way_out}.")


def meta_parts(
    clip: Mapping[str, Any], perceiver: Mapping[str, int]
) -> tuple[nn.Module, IdPerceiver]:
    """CLIP vision model and tau_id without storage."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    with torch.device("meta"):
        return CLIPVisionModel(CLIPVisionConfig(**clip)), IdPerceiver(**perceiver)


def split_photomaker_state(
    state: Mapping[str, Tensor], path: str | Path = "the PhotoMaker-V2 file"
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """CLIP tensors and tau_id tensors with prefixes removed.

    Raises `UserError` on a key that belongs to neither part and is not on the list of dropped keys.
    """
    vision: dict[str, Tensor] = {}
    perceiver: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(VISION_PREFIX):
            vision[key.removeprefix(VISION_PREFIX)] = value
        elif key.startswith(PERCEIVER_PREFIX):
            perceiver[key.removeprefix(PERCEIVER_PREFIX)] = value
        elif key not in DROPPED_KEYS:
            raise UserError(
                f"Unknown tensor {key!r} in {path}; expected the 463 names of PhotoMaker-V2."
            )
    return vision, perceiver


def from_photomaker_v2(
    path: str | Path,
    recognizer: FaceEmbedder | None = None,
    sha256: str | None = None,
    clip: Mapping[str, Any] = CLIP_VIT_L14,
    perceiver: Mapping[str, int] = ID_PERCEIVER_V2,
    torch_dtype: torch.dtype | None = None,
) -> IdentityEncoder:
    """Identity encoder from a converted PhotoMaker-V2 file (`.safetensors`), loaded strictly.

    Raises `UserError` for another format, an unknown, missing or misshapen tensor, or a wrong
    digest.
    """
    state = load_tensors(Path(path), sha256)
    return encoder_of(state, path, recognizer, clip, perceiver).cast(torch_dtype)


def encoder_of(
    state: Mapping[str, Tensor],
    path: str | Path,
    recognizer: FaceEmbedder | None = None,
    clip: Mapping[str, Any] = CLIP_VIT_L14,
    perceiver: Mapping[str, int] = ID_PERCEIVER_V2,
) -> IdentityEncoder:
    """Identity encoder from the tensors of a PhotoMaker-V2 file; `path` is named in refusals.

    Raises `UserError` for an unknown, missing or misshapen tensor.
    """
    vision_state, id_state = split_photomaker_state(state, path)
    vision, tau_id = meta_parts(clip, perceiver)
    for name, module, part in (("CLIP", vision, vision_state), ("tau_id", tau_id, id_state)):
        take_tensors(module, part, name, path)
    _fill_position_ids(vision)
    return IdentityEncoder(vision, tau_id, dict(perceiver), recognizer)


def take_tensors(
    module: nn.Module, state: Mapping[str, Tensor], name: str, path: str | Path
) -> None:
    """Give `module` the tensors of `state`, all of them and no other.

    Raises `UserError` naming the first that is missing, unknown or misshapen.
    """
    own = module.state_dict()
    wrong = sorted(k for k in own.keys() | state.keys() if _shape(own, k) != _shape(state, k))
    if wrong:
        raise UserError(
            f"{path}: {len(wrong)} {name} tensors are missing, unknown or misshapen "
            f"(first: {wrong[0]}); it is not a PhotoMaker-V2 file of the expected size."
        )
    strange = sorted(key for key, value in state.items() if not _is_weight(value))
    if strange:
        raise UserError(
            f"{path}: {strange[0]} holds whole numbers, or some that are not finite: fetch it "
            "again."
        )
    module.load_state_dict(dict(state), assign=True)


def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None


def _is_weight(value: Tensor) -> bool:
    return value.is_floating_point() and (value.is_meta or bool(value.isfinite().all()))


def _fill_position_ids(vision: nn.Module) -> None:
    """The position index of CLIP is not in any file; give it storage after a build without one."""
    embeddings = vision.embeddings
    if embeddings.position_ids.is_meta:
        ids = torch.arange(embeddings.num_positions).expand((1, -1))
        embeddings.register_buffer("position_ids", ids, persistent=False)
