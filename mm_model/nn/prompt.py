"""Prompts with an identity: find the class word, expand it to identity positions, keep the mask.

Tokenizer independent (offsets are intersected with the word's span, never compared for equality).
The trigger itself never reaches T5. No text encoder is run here except by `encode_text`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mm_model.errors import UserError

TRIGGER = "img"
CLASS_WORDS = ("man", "woman", "boy", "girl", "baby", "person", "child", "lady", "guy", "gentleman")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True)
class ParsedPrompt:
    """`text` without the trigger, and the character span [start, end) of the class word in it."""

    text: str
    start: int
    end: int

    @property
    def class_word(self) -> str:
        """The word that stands for the subject."""
        return self.text[self.start : self.end]


def parse_prompt(
    prompt: str, trigger: str = TRIGGER, class_words: Sequence[str] = CLASS_WORDS
) -> ParsedPrompt:
    """Locate the subject: the word before the stand-alone `trigger`, else the first class word.

    The trigger is case-sensitive and needs word boundaries. Raises `UserError` when it occurs more
    than once, has no word before it, or when the prompt names no subject at all.
    """
    found = list(re.finditer(rf"(?<!\w){re.escape(trigger)}(?!\w)", prompt))
    if len(found) > 1:
        raise UserError(
            f"The prompt holds {trigger!r} {len(found)} times; put it once, after the subject's "
            "word."
        )
    if found:
        return _before_trigger(prompt, found[0], trigger)
    names = "|".join(re.escape(word) for word in class_words)
    match = re.search(rf"(?<!\w)(?:{names})(?!\w)", prompt, re.IGNORECASE)
    if match is None:
        raise UserError(
            f"The prompt names no subject: write {trigger!r} after the subject's word, as in "
            f"'a man {trigger} walks', or use one of {', '.join(class_words)}."
        )
    return ParsedPrompt(prompt, match.start(), match.end())


def _before_trigger(prompt: str, found: re.Match[str], trigger: str) -> ParsedPrompt:
    before = list(_WORD.finditer(prompt, 0, found.start()))
    if not before:
        raise UserError(
            f"The prompt has no word before {trigger!r}; write for instance 'a man {trigger}'."
        )
    word = before[-1]
    head, tail = prompt[: found.start()], prompt[found.end() :]
    if head.endswith(" ") and (not tail or tail[0] in " ,.;:!?)"):
        head = head[:-1]
    return ParsedPrompt(head + tail, word.start(), word.end())


def clean_prompt(prompt: str, trigger: str = TRIGGER) -> str:
    """The prompt without the trigger, for runs without identity; other text stays as it is."""
    if not re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", prompt):
        return prompt
    return parse_prompt(prompt, trigger).text


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
    tokens_per_reference: int = 2,
    trigger: str = TRIGGER,
    class_words: Sequence[str] = CLASS_WORDS,
) -> PromptTokens:
    """Token ids in which the class word's last piece stands 2R times, and the mask of those places.

    Cut to `max_length` keeping the end token, then padded. Raises `UserError` when the identity
    positions would be cut off, and for the reasons of `parse_prompt`.
    """
    parsed = parse_prompt(prompt, trigger, class_words)
    coded = tokenizer(parsed.text, add_special_tokens=True, return_offsets_mapping=True)
    ids, offsets = list(coded["input_ids"]), list(coded["offset_mapping"])
    inside = [
        i
        for i, (start, end) in enumerate(offsets)
        if min(end, parsed.end) > max(start, parsed.start)
    ]
    if not inside:
        raise UserError(
            f"The tokenizer gives no piece for the word {parsed.class_word!r}; reword the prompt."
        )
    at, copies = inside[-1], references * tokens_per_reference
    ids = ids[:at] + [ids[at]] * copies + ids[at + 1 :]
    if len(ids) > max_length:
        ids = [*ids[: max_length - 1], ids[-1]]
    if at + copies > max_length - 1:
        raise UserError(
            f"The prompt is too long: {parsed.class_word!r} lies beyond the text length of "
            f"{max_length} "
            "tokens; name the subject earlier."
        )
    ids += [tokenizer.pad_token_id] * (max_length - len(ids))
    mask = torch.zeros(max_length, dtype=torch.bool)
    mask[at : at + copies] = True
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
    device = next(text_encoder.parameters()).device
    out = text_encoder(ids.to(device))[0]
    return out.to(dtype) if dtype is not None else out
