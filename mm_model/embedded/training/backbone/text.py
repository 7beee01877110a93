"""Captions to token ids for the tiny backbone: closed vocabulary, letters as a fallback.

The tokenizer is `mm_model.nn.cogvideox.tokenizer`'s; the text encoder is trained together with the
DiT. Any prompt tokenises: words outside the vocabulary fall apart into letters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.people import people
from mm_model.embedded.training.backbone.recipe import TextRecipe
from mm_model.nn.cogvideox.tokenizer import build_tokenizer, build_vocabulary
from mm_model.nn.identity.subject import CLASS_WORDS

if TYPE_CHECKING:
    from transformers import T5EncoderModel

_COMMON = (
    "the this that is are in on at of with and to his her their its from by for while slowly "
    "quickly then video photo portrait picture face head camera young old smiling looking walking"
)


@lru_cache(maxsize=4)
def make_tokenizer(max_length: int) -> Any:
    """The backbone's tokenizer: caption words, class words, some common words, all characters."""
    from mm_model.embedded.people.caption import CAPTION_WORDS

    words = {*CAPTION_WORDS, *CLASS_WORDS, *_COMMON.split(), "A", "An", "The"}
    return build_tokenizer(build_vocabulary(words), max_length)


def build_text_encoder(recipe: TextRecipe, vocabulary: int, seed: int) -> T5EncoderModel:
    """A seeded random `T5EncoderModel` without dropout."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=vocabulary,
        d_model=recipe.d_model,
        d_kv=recipe.d_kv,
        d_ff=recipe.d_ff,
        num_layers=recipe.layers,
        num_heads=recipe.heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        relative_attention_num_buckets=16,
        relative_attention_max_distance=32,
        pad_token_id=0,
        eos_token_id=1,
        is_encoder_decoder=False,
        use_cache=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5EncoderModel(config)
        torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.3)
    return model


def vary(caption: str, category: str, rng: np.random.Generator) -> str:
    """The caption as a user might type it: now and then "person", a capital letter, a full stop."""
    if rng.random() < 0.08:
        article = "an" if category[0] in "aeiou" else "a"
        caption = caption.replace(f"{article} {category}", "a person", 1)
    if rng.random() < 0.1:
        caption = caption[0].upper() + caption[1:]
    return caption + "." if rng.random() < 0.1 else caption


def encode(
    tokenizer: Any,
    captions: list[str],
    copies: list[int],
    max_length: int,
) -> Tensor:
    """Ids int64 [B, max_length]; the class word's last piece stands `copies` times (1 = plain)."""
    last_pieces = _class_ids(tokenizer)
    rows = []
    for caption, count in zip(captions, copies, strict=True):
        ids = list(tokenizer(caption, add_special_tokens=True)["input_ids"])
        at = next((i for i, piece in enumerate(ids) if piece in last_pieces), None)
        if at is not None and count > 1:
            ids = ids[:at] + [ids[at]] * count + ids[at + 1 :]
        ids = ids[: max_length - 1] + ids[-1:] if len(ids) > max_length else ids
        rows.append(ids + [tokenizer.pad_token_id] * (max_length - len(ids)))
    return torch.tensor(rows)


def _class_ids(tokenizer: Any) -> set[int]:
    nouns = {category.split()[-1] for category in people.CATEGORIES} | set(CLASS_WORDS)
    return {tokenizer(noun, add_special_tokens=False)["input_ids"][-1] for noun in nouns}
