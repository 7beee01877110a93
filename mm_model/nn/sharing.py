"""A CogVideoX transformer of one class made on the tensors of one of another, to and fro.

What a user set on the given one comes along, or is refused by name: another attention processor,
an attention backend and gradient checkpointing come; LoRA layers, fused projections and hooks
cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.attention_processor import (
    CogVideoXAttnProcessor2_0,
    FusedCogVideoXAttnProcessor2_0,
)
from torch import nn

from mm_model.errors import UserError
from mm_model.nn.magic_mirror.attention import MagicMirrorAttnProcessor
from mm_model.nn.offload import is_offloaded
from mm_model.nn.parts import Keywords

ADAPTER_PART = ".adapter."
_FUSED_PART = ".to_qkv."
_USUAL = (CogVideoXAttnProcessor2_0, MagicMirrorAttnProcessor)


def sharing(
    cls: type[CogVideoXTransformer3DModel], given: CogVideoXTransformer3DModel
) -> CogVideoXTransformer3DModel:
    """A transformer of the class `cls` on the tensors of `given`; an adapter's are left out.

    Raises `UserError` for what would not come along.
    """
    for flaw, way_out in (
        (is_offloaded(given), "is offloaded: call remove_all_hooks() of its pipeline first"),
        (
            getattr(given, "_hf_peft_config_loaded", False),
            "carries LoRA layers: unload them (unload_lora) first",
        ),
        (
            any(isinstance(p, FusedCogVideoXAttnProcessor2_0) for p in _processors(given)),
            "has fused projections: call unfuse_qkv_projections() first",
        ),
    ):
        if flaw:
            raise UserError(f"The transformer {way_out}, so that its weights can be shared.")
    with torch.device("meta"):
        made = cls(**base_config(given))
    left_out = (ADAPTER_PART, _FUSED_PART)
    state = {k: v for k, v in given.state_dict().items() if not any(p in k for p in left_out)}
    made.load_state_dict(state, strict=True, assign=True)
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(given.get_parameter(name).requires_grad)
    _copy_non_persistent(given, made)
    _copy_ways(given, made)
    return made


def refuse_hooks(given: nn.Module) -> None:
    """Raise `UserError` naming a hook of diffusers (a cache, casting) that would stay behind."""
    for part in given.modules():
        registry = getattr(part, "_diffusers_hook", None)
        if registry is not None and registry.hooks:
            raise UserError(
                f"The transformer carries the hook {sorted(registry.hooks)[0]}, which would not "
                "come along: take a cache off (disable_cache()), load it without casting, and "
                "enable either on the new pipeline's transformer."
            )


def base_config(model: CogVideoXTransformer3DModel) -> Keywords:
    """The public configuration fields of a CogVideoX transformer as keyword arguments."""
    names = inspect.signature(CogVideoXTransformer3DModel.__init__).parameters
    config: Mapping[str, Any] = model.config
    return {name: config[name] for name in names if name != "self" and name in config}


def _processors(model: CogVideoXTransformer3DModel) -> list[Any]:
    return [block.attn1.processor for block in model.transformer_blocks]


def _copy_non_persistent(base: nn.Module, model: nn.Module) -> None:
    """Carry over buffers that a state dict leaves out (fixed sincos positions of small bases)."""
    saved = set(base.state_dict())
    for name, value in base.named_buffers():
        if name not in saved:
            owner, _, leaf = name.rpartition(".")
            model.get_submodule(owner).register_buffer(leaf, value, persistent=False)


def _copy_ways(given: CogVideoXTransformer3DModel, made: CogVideoXTransformer3DModel) -> None:
    """Carry over how it computes: other processors, their backend, gradient checkpointing."""
    blocks = made.transformer_blocks
    for processor, block in zip(_processors(given), blocks, strict=True):
        if not isinstance(processor, _USUAL):
            block.attn1.set_processor(processor)
        elif (backend := getattr(processor, "_attention_backend", None)) is not None:
            block.attn1.processor._attention_backend = backend
    made.gradient_checkpointing = given.gradient_checkpointing
    if given.gradient_checkpointing:
        made._gradient_checkpointing_func = given._gradient_checkpointing_func
