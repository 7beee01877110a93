"""Reading the PhotoMaker-V2 identity encoder: strict key list, conversion to safetensors.

Only CLIP and the identity perceiver are used; the deliberately dropped parts are listed. A pickle
is read by the explicit converter alone, with `weights_only=True`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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


def convert_photomaker_v2(source: str | Path, target: str | Path) -> str:
    """Convert `photomaker-v2.bin` to safetensors with the same 463 names; returns the SHA-256.

    The pickle is read with `weights_only=True`. Its `lora_weights` (for SDXL) are left behind.
    """
    source = Path(source)
    try:
        data = torch.load(source, map_location="cpu", weights_only=True)
        state = data["id_encoder"]
    except FileNotFoundError:
        raise UserError(f"{source} is missing; name the photomaker-v2.bin file.") from None
    except Exception as error:
        raise UserError(
            f"{source} is not a PhotoMaker-V2 file with an 'id_encoder' dictionary: {error}"
        ) from error
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_tensors(target, {key: value.clone() for key, value in state.items()})


def meta_parts(
    clip: Mapping[str, Any], perceiver: Mapping[str, int]
) -> tuple[nn.Module, IdPerceiver]:
    """CLIP vision model and tau_id without storage."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    with torch.device("meta"):
        return CLIPVisionModel(CLIPVisionConfig(**clip)), IdPerceiver(**perceiver)


def split_photomaker_state(
    state: Mapping[str, Tensor],
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
                f"Unknown tensor {key!r} in the PhotoMaker-V2 file; expected its 463 names."
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
    vision_state, id_state = split_photomaker_state(load_tensors(Path(path), sha256))
    vision, tau_id = meta_parts(clip, perceiver)
    for name, module, state in (("CLIP", vision, vision_state), ("tau_id", tau_id, id_state)):
        own = module.state_dict()
        wrong = sorted(k for k in own.keys() | state.keys() if _shape(own, k) != _shape(state, k))
        if wrong:
            raise UserError(
                f"{path}: {len(wrong)} {name} tensors are missing, unknown or misshapen "
                f"(first: {wrong[0]}); it is not a PhotoMaker-V2 file of the expected size."
            )
        module.load_state_dict(state, assign=True)
    _fill_position_ids(vision)
    return IdentityEncoder(vision, tau_id, dict(perceiver), recognizer).cast(torch_dtype)


def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None


def _fill_position_ids(vision: nn.Module) -> None:
    """The position index of CLIP is not in any file; give it storage after a build without one."""
    embeddings = vision.embeddings
    if embeddings.position_ids.is_meta:
        ids = torch.arange(embeddings.num_positions).expand((1, -1))
        embeddings.register_buffer("position_ids", ids, persistent=False)
