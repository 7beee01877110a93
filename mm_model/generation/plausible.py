"""What each argument of a call must be, as one table: anything else is refused by its name.

Without identity the stock pipeline judges its own arguments; ours are always held to the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from torch import Tensor

from mm_model.errors import UserError
from mm_model.nn.injection.condition import IdentityCondition

_SHOWN = 40


def _number(value: Any) -> bool:
    """A finite number; a tensor of one counts."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return isinstance(value, Real) and math.isfinite(value)


def _whole(value: Any, least: int = 0) -> bool:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return isinstance(value, Integral) and int(value) >= least


def _generator(value: Any) -> bool:
    each = value if isinstance(value, list) else [value]
    return bool(each) and all(isinstance(one, torch.Generator) for one in each)


def _callback(value: Any) -> bool:
    return callable(value) or isinstance(value, PipelineCallback | MultiPipelineCallbacks)


def _texts(value: Any) -> bool:
    each = value if isinstance(value, list) else [value]
    return bool(each) and all(isinstance(one, str) for one in each)


def _embeddings(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() == 3 and value.is_floating_point()


_Rule = tuple[Callable[[Any], bool], str]
_NUMBER: _Rule = (_number, "a finite number")
_SIZE: _Rule = (_whole, "a whole number, or leave it out")
_EMBEDDINGS: _Rule = (_embeddings, "the tensor [texts, tokens, width] of encode_identity_prompt")

OURS: dict[str, _Rule] = {
    "id_scale": _NUMBER,
    "ca_scale": _NUMBER,
    "can_scale": _NUMBER,
    "noise_prior_gamma": _NUMBER,
    "id_guidance_scale": (_number, "a finite number, or leave it out"),
    "face_start_step": (_whole, "a whole number of steps from 0 on"),
    "identity_mask": (
        lambda value: isinstance(value, Tensor),
        "the tensor that encode_identity_prompt returns beside the embeddings",
    ),
    "detect": (callable, "a function that finds the face of a picture"),
}
"""Arguments that the stock pipeline does not know."""

STOCK: dict[str, _Rule] = {
    "prompt": (_texts, "a text, or a list of one or more texts"),
    "guidance_scale": _NUMBER,
    "eta": _NUMBER,
    "height": _SIZE,
    "width": _SIZE,
    "num_frames": _SIZE,
    "max_sequence_length": (lambda value: _whole(value, 1), "a whole number from 1 on"),
    "timesteps": (
        lambda value: isinstance(value, list | tuple | Tensor | np.ndarray),
        "a list of timesteps, or leave it out",
    ),
    "generator": (_generator, "a torch.Generator, or a list of one for each clip"),
    "latents": (lambda value: isinstance(value, Tensor), "a tensor of noise, or leave it out"),
    "prompt_embeds": _EMBEDDINGS,
    "negative_prompt_embeds": _EMBEDDINGS,
    "attention_kwargs": (lambda value: isinstance(value, Mapping), "a dict, or leave it out"),
    "callback_on_step_end": (_callback, "a function, or a callback object of diffusers"),
    "callback_on_step_end_tensor_inputs": (
        lambda value: isinstance(value, list | tuple) and all(isinstance(n, str) for n in value),
        "a list of names of tensors",
    ),
}
"""Arguments of the stock pipeline, as they must be beside an identity."""

_NEEDED = {*OURS, "guidance_scale", "eta", "max_sequence_length"} - {
    "id_guidance_scale",
    "identity_mask",
    "detect",
}
"""Where None is no way to leave the argument out."""


def check(given: Any, names: Iterable[str]) -> None:
    """Raise `UserError` naming the first of the arguments `names` of `given` that cannot be."""
    for name in names:
        value = getattr(given, name)
        if value is not None or name in _NEEDED:
            _check(name, value)


def _check(name: str, value: Any) -> None:
    fits, wanted = {**OURS, **STOCK}[name]
    if not fits(value):
        raise UserError(f"{name} is {shown(value)}; give {wanted}.")


def check_condition(identity: Any) -> None:
    """Raise `UserError` unless `identity` is what `encode_references` returns."""
    if not isinstance(identity, IdentityCondition):
        raise UserError(
            f"identity is {type(identity).__name__}; give what encode_references returns, or the "
            "pictures as reference_images=..."
        )


def check_encoding(prompt: Any, identity: Any, length: Any) -> None:
    """Raise `UserError` naming the argument of `encode_identity_prompt` that cannot be."""
    _check("prompt", prompt)
    check_condition(identity)
    _check("max_sequence_length", length)


def taken(given: Any, name: str, now: Tensor) -> Tensor:
    """The tensor `name` that a callback gives back, or `now` where it gives none.

    Raises `UserError` where it is no tensor of the same shape.
    """
    found = given.pop(name, now)
    if not isinstance(found, Tensor) or found.shape != now.shape:
        is_text = name == "prompt_embeds"
        raise UserError(
            f"The callback gave back {name} that is {shown(found)}; it must keep {list(now.shape)}"
            f"{': to end guidance set _guidance_scale to 1' if is_text else ''}."
        )
    return found


def check_steps(steps: Any) -> None:
    """Raise `UserError` unless `steps` is a whole number from 1 on."""
    if steps is None or not _number(steps):
        raise UserError(f"num_inference_steps is {shown(steps)}; give a whole number from 1 on.")
    if steps < 1:
        raise UserError(f"num_inference_steps is {steps}; ask for one step or more.")
    if not _whole(steps):
        raise UserError(f"num_inference_steps is {steps}; give a whole number from 1 on.")


def shown(value: Any) -> str:
    """`value` in a sentence: what is short as it is written, else its kind."""
    if value is None or isinstance(value, str | bytes | Real):
        written = repr(value)
        return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}..."
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} {list(value.shape)}"
    if isinstance(value, list | tuple):
        wrong = next((one for one in value if not isinstance(one, str)), None)
        inside = f" with {type(wrong).__name__}" if wrong is not None else ""
        return f"an empty {type(value).__name__}" if not value else type(value).__name__ + inside
    return type(value).__name__
