"""diffusers' caches and other hooks on the transformer, beside an identity.

A cache gives back what an earlier call computed. It may never hand the plain base's result to a
branch that carries an identity, so a way of sampling that would mix them is refused by name.
"""

from __future__ import annotations

from typing import Any

from mm_model.errors import UserError

FASTER, BLOCKWISE = "faster_cache_denoiser", "faster_cache_block"
BROADCAST = "pyramid_attention_broadcast"
FIRST_BLOCK = ("fbc_leader_block_hook", "fbc_block_hook")
CASTING = "layerwise_casting"
KNOWN = {FASTER, BLOCKWISE, BROADCAST, *FIRST_BLOCK, CASTING}
_TITLES = {FASTER: "FasterCache", BLOCKWISE: "FasterCache", BROADCAST: "PyramidAttentionBroadcast"}
_HALVED = ("face_tokens", "id_code")


def hooks_of(transformer: Any) -> set[str]:
    """Names of diffusers' hooks on the transformer and its parts."""
    found: set[str] = set()
    for part in transformer.modules():
        registry = getattr(part, "_diffusers_hook", None)
        if registry is not None:
            found |= set(registry.hooks)
    return found


def allow_tables(transformer: Any) -> bool:
    """Whether modulation may come from tables: not where a hook or a LoRA must see each layer run.

    FasterCache halves a call's batch, which a table would not follow.
    """
    lora = getattr(transformer, "_hf_peft_config_loaded", False)
    return not lora and not hooks_of(transformer) & {FASTER, CASTING}


def check_caches(transformer: Any, mode: str, guided: bool, start: int) -> None:
    """Let the hooks found on `transformer` carry an identity, or raise `UserError`.

    `mode` is the guidance's, `start` the first step with identity.
    """
    found = hooks_of(transformer)
    if unknown := sorted(found - KNOWN):
        raise UserError(
            f"The transformer carries the hook {unknown[0]}, which is not known to keep an "
            "identity; use FasterCache, PyramidAttentionBroadcast or FirstBlockCache, or leave "
            "the identity out."
        )
    title = next((_TITLES[name] for name in sorted(found) if name in _TITLES), None)
    if title is None:
        return
    if mode == "base" and guided:
        raise UserError(
            f"{title} keeps one memory for both calls of a step that face_guidance='base' makes, "
            "and would hand the base's attention to the identity; choose null, keep or split."
        )
    if start > 0:
        raise UserError(
            f"{title} remembers attention without face tokens from the steps before "
            f"face_start_step={start}; leave one of them out."
        )
    if FASTER in found:
        _check_faster(transformer, mode, guided)


def _check_faster(transformer: Any, mode: str, guided: bool) -> None:
    hook = transformer._diffusers_hook.get_hook(FASTER)
    if hook.is_guidance_distilled:
        return
    if not guided or mode == "split":
        raise UserError(
            "FasterCache estimates the one unconditional branch of a step from the conditional "
            "one: it needs guidance_scale above 1 and face_guidance null or keep."
        )
    names = tuple(hook.uncond_cond_input_kwargs_identifiers)
    hook.uncond_cond_input_kwargs_identifiers = (
        *names,
        *(name for name in _HALVED if name not in names),
    )
