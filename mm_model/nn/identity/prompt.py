"""Prompts with an identity as tensors: ids with the class word expanded, and the mask.

Which word it is and where it lies is decided in `mm_model.nn.identity.subject`. The trigger itself
never reaches T5. No text encoder is run here except by `encode_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mm_model.nn.identity.subject import (
    CLASS_WORDS,
    TOKENS_PER_REFERENCE,
    TRIGGER,
    clean_prompt,
    place_identity,
)
from mm_model.nn.offload import execution_device


@dataclass(frozen=True)
class PromptTokens:
    """`ids [L]` padded token ids and `mask [L]` True at the identity positions."""

    ids: Tensor
    mask: Tensor


def expand_prompt(
    tokenizer: Any,
    prompt: str,
    references: int,
    max_length: int,
    tokens_per_reference: int = TOKENS_PER_REFERENCE,
    trigger: str = TRIGGER,
    class_words: Sequence[str] = CLASS_WORDS,
) -> PromptTokens:
    """Token ids in which the class word's last piece stands 2R times, and the mask of those places.

    Cut to `max_length` keeping the end token, then padded. Raises `PromptError` for the reasons of
    `place_identity`.
    """
    placed = place_identity(
        tokenizer,
        prompt,
        references,
        max_length=max_length,
        tokens_per_reference=tokens_per_reference,
        trigger=trigger,
        class_words=class_words,
    )
    ids = placed.ids + [tokenizer.pad_token_id] * (max_length - len(placed.ids))
    mask = torch.zeros(max_length, dtype=torch.bool)
    mask[placed.at : placed.at + placed.copies] = True
    return PromptTokens(torch.tensor(ids, dtype=torch.long), mask)


def plain_prompt(tokenizer: Any, prompt: str, max_length: int) -> PromptTokens:
    """Ids of a prompt without identity (negative or empty prompts), padded and cut as the base
    does.
    """
    coded = tokenizer(
        prompt,
        padding="max_length",
        max_length=max_length,
        truncation=True,
        add_special_tokens=True,
        return_tensors="pt",
    )
    return PromptTokens(coded.input_ids[0], torch.zeros(max_length, dtype=torch.bool))


def encode_prompts(
    tokenizer: Any,
    prompts: Sequence[str],
    references: Sequence[int],
    max_length: int,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Ids `[B,L]` and masks `[B,L]`; a row with 0 references is tokenised plainly."""
    rows = [
        expand_prompt(tokenizer, prompt, count, max_length, **kwargs)
        if count
        else plain_prompt(
            tokenizer, clean_prompt(prompt, kwargs.get("trigger", TRIGGER)), max_length
        )
        for prompt, count in zip(prompts, references, strict=True)
    ]
    return torch.stack([row.ids for row in rows]), torch.stack([row.mask for row in rows])


@torch.no_grad()
def encode_text(text_encoder: Any, ids: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """T5 output `[B,L,text]` of `ids [B,L]`; no attention mask, as CogVideoX runs it."""
    out = text_encoder(ids.to(execution_device(text_encoder)))[0]
    return out.to(dtype) if dtype is not None else out
