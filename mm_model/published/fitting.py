"""Whether the files of a checkpoint hold what its configurations promise, tensor by tensor.

Libraries fill what a file lacks with random numbers and go on; here that is told before anything
is linked or loaded. Names and shapes are held against networks without storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from mm_model.diffusion.schedule import load_schedule
from mm_model.errors import UserError
from mm_model.nn.cogvideox.tokenizer import load_tokenizer
from mm_model.nn.injection.files import load_json
from mm_model.published.sizes import networks_of
from mm_model.published.weights import shapes_in

_PIPELINE = "CogVideoXPipeline"
_CLASSES = {"transformer": "CogVideoXTransformer3DModel", "vae": "AutoencoderKLCogVideoX"}
_ALSO = {"encoder.embed_tokens.weight": "shared.weight"}
"""T5 knows its words under two names; a file holds either."""


def require_fit(folder: Path) -> None:
    """Raise `UserError` unless the parts of a CogVideoX folder are what the configurations say.

    Tensors that the networks do not know are let pass.
    """
    _require_class(folder / "model_index.json", _PIPELINE)
    for part, name in _CLASSES.items():
        _require_class(folder / part / "config.json", name)
    load_schedule(folder / "scheduler")
    load_tokenizer(folder / "tokenizer")
    networks = networks_of(folder)
    channels, made = networks.transformer.config.in_channels, networks.vae.config.latent_channels
    if channels != made:
        raise UserError(
            f"{folder}: its transformer takes {channels} channels, but its VAE makes {made}: it "
            "was made for more than text; use a CogVideoX 1.0 text-to-video folder."
        )
    for part in ("transformer", "vae", "text_encoder"):
        _require_tensors(folder / part, getattr(networks, part))


def _require_class(path: Path, name: str) -> None:
    found = load_json(path).get("_class_name")
    if found != name:
        raise UserError(
            f"{path} names the class {found!r} where {name} belongs: use a CogVideoX 1.0 "
            "text-to-video folder."
        )


def _require_tensors(folder: Path, network: nn.Module) -> None:
    found = shapes_in(folder)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wrong = sorted(name for name, shape in wanted.items() if _of(found, name) != shape)
    if wrong:
        raise UserError(
            f"{folder}: {len(wrong)} of {len(wanted)} tensors that its config.json promises are "
            f"missing or of another shape (first: {wrong[0]}): fetch the folder again, it is not "
            "whole."
        )


def _of(found: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, ...] | None:
    twins = {**_ALSO, **{other: one for one, other in _ALSO.items()}}
    return found.get(name, found.get(twins.get(name, name)))
