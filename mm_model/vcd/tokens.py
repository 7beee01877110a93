"""Extended ID tokens: some vectors that stand for one subject before its class word.

Only they are learned; the text encoder's own rows stay as they are. Their file is that of textual
inversion, one tensor under the placeholder's name, which diffusers and others read.
Source: Magic-Me (arXiv 2402.09368), section 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.store.atomic import write_bytes

SPREAD = 0.01
"""Noise on the first values over the size of where they start: equal tokens would stay equal."""

RARE = (42170, 47629, 43514)
"""Rows of CLIP's vocabulary that begin as they are: those of the published configuration."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_AGAIN = "learn the subject again, or name another file"


def placeholder_of(name: str) -> str:
    """The word that stands for the subject `name` in a prompt, as in `<rex>`.

    Raises:
        UserError: the name is none that a prompt and a folder can carry.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of a subject: use up to 40 small letters, digits and hyphens, "
            "as in my-dog."
        )
    return f"<{name}>"


@dataclass(frozen=True, eq=False)
class IdTokens:
    """`vectors [n,width]` float32, which stand where a prompt says `placeholder`."""

    placeholder: str
    vectors: Tensor

    def save(self, path: Path) -> None:
        """Write the textual-inversion file, whole or not at all."""
        write_bytes(path, save({self.placeholder: self.vectors.detach().cpu().contiguous()}))

    @classmethod
    def read(cls, path: Path) -> IdTokens:
        """The tokens that `save`, or another tool in the same format, wrote.

        Raises:
            UserError: the file is absent, damaged, or holds something else.
        """
        try:
            found = load(path.read_bytes())
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} holds no tokens in safetensors: {_AGAIN}.") from error
        (name, vectors), *others = found.items() or [("", torch.zeros(0))]
        if others or vectors.ndim not in (1, 2) or not vectors.numel() or not name.strip():
            raise UserError(f"{path} is no textual-inversion file of one subject: {_AGAIN}.")
        if not vectors.isfinite().all():
            raise UserError(f"{path} holds numbers that are not finite: {_AGAIN}.")
        return cls(name, vectors.float().reshape(-1, vectors.shape[-1]))


def first_values(
    rows: Tensor, word_ids: Sequence[int], count: int, start: str, generator: torch.Generator
) -> Tensor:
    """Where `count` tokens begin, `[count,width]`: at the class word, or at rare words.

    rows: the encoder's vectors `[vocabulary,width]`. word_ids: the class word's pieces, whose mean
    is taken. Noise of 1% of its size makes tokens of one word differ (choice); rows of rare
    words repeat the last where more are asked for, as published, and get the same noise.

    Raises:
        UserError: the vocabulary has no such rare rows.
    """
    rows = rows.detach().float().cpu()
    if start == "rare":
        if max(RARE) >= len(rows):
            raise UserError(
                f"This text encoder knows {len(rows)} words, not CLIP's 49408: set subject.start "
                "to class."
            )
        chosen = [RARE[min(place, len(RARE) - 1)] for place in range(count)]
        begun = rows[chosen]
    else:
        begun = rows[list(word_ids)].mean(0).expand(count, -1)
    size = begun.square().mean().sqrt()
    noise = torch.randn(begun.shape, generator=generator)
    return begun + SPREAD * size * noise


def refuse_other_width(tokens: IdTokens, width: int) -> None:
    """Raise `UserError` where tokens were learned on a text encoder of another width."""
    if tokens.vectors.shape[-1] != width:
        raise UserError(
            f"{tokens.placeholder} was learned with vectors of {tokens.vectors.shape[-1]} numbers "
            f"and this checkpoint's text encoder takes {width}: use a checkpoint of the family "
            "that it was learned on."
        )


def too_late(placeholder: str) -> UserError:
    """The refusal of a prompt that is cut off before its subject."""
    return UserError(f"{placeholder} stands too late in the prompt, which is cut off there.")


class TokenRows(nn.Module):
    """A text encoder's table of words that knows `vectors [n,width]` as the ids after its last."""

    def __init__(self, table: nn.Module, vectors: Tensor) -> None:
        super().__init__()
        self.table = table
        self.vectors = vectors
        self.known = int(table.num_embeddings)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors `[B,L,width]` of `ids [B,L]`."""
        plain = self.table(ids.clamp(max=self.known - 1))
        places = (ids - self.known).clamp(min=0)
        ours = self.vectors.to(plain.device, plain.dtype)[places]
        return torch.where((ids >= self.known)[..., None], ours, plain)


def parted(prompt: str, placeholder: str) -> tuple[str, str]:
    """What stands in `prompt` before the placeholder, and after it.

    Raises:
        UserError: it does not stand there, or twice.
    """
    before, found, after = prompt.partition(placeholder)
    if not found:
        raise UserError(f"The prompt does not say {placeholder}: put it before the class word.")
    if placeholder in after:
        raise UserError(f"The prompt says {placeholder} twice: leave one out.")
    return before, after


def ids_of(tokenizer: Any, prompt: str, placeholder: str, new: Sequence[int]) -> list[int]:
    """Ids of `prompt`, of the tokenizer's full length; the placeholder becomes `new` ones.

    Raises:
        UserError: the placeholder does not stand in the prompt, or would be cut off.
    """
    pieces = [
        tokenizer(part, add_special_tokens=False).input_ids for part in parted(prompt, placeholder)
    ]
    inner = [*pieces[0], *new, *pieces[1]]
    room = tokenizer.model_max_length - 2
    if len(pieces[0]) + len(new) > room:
        raise too_late(placeholder)
    ids = [tokenizer.bos_token_id, *inner[:room], tokenizer.eos_token_id]
    return ids + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
