"""A backbone's `T5Tokenizer` and its text length, and one from an in-memory vocabulary.

No sentencepiece model and no network is needed. Words that the vocabulary lacks fall apart into
single characters, never into one unknown token.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.store.walk import why

FILES = ("tokenizer.json", "spiece.model")
"""A tokenizer folder holds one of these: ours the first, CogVideoX's the second."""
SPACE = "\u2581"
# In T5's own order: the text encoder's embeddings know padding as 0 and the end as 1.
SPECIAL = (("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0))
ALPHABET = string.ascii_letters + string.digits + string.punctuation
# Scores of a segmentation add up and the highest wins: one word before two pieces, and a piece
# before two letters.
_WORD_SCORE, _PIECE_SCORE, _CHARACTER_SCORE = -2.0, -6.0, -12.0


def build_vocabulary(words: Iterable[str], pieces: Iterable[str] = ()) -> list[tuple[str, float]]:
    """(piece, score) pairs: specials, whole words, word pieces, single characters as a fallback.

    Order is deterministic (sorted), so equal words give equal ids.
    """
    vocabulary: dict[str, float] = dict(SPECIAL)
    for word in sorted({w.strip() for w in words if w.strip()}):
        vocabulary.setdefault(SPACE + word, _WORD_SCORE)
    for piece in sorted({p for p in pieces if p}):
        vocabulary.setdefault(piece, _PIECE_SCORE)
    for character in (SPACE, *ALPHABET):
        vocabulary.setdefault(character, _CHARACTER_SCORE)
    return list(vocabulary.items())


def build_tokenizer(vocabulary: list[tuple[str, float]], max_length: int = 226) -> Any:
    """A `transformers.T5Tokenizer` over `vocabulary`; ids follow its order (pad 0, end 1, unknown
    2).
    """
    from transformers import T5Tokenizer

    if tuple(vocabulary[:3]) != SPECIAL:
        raise UserError("A T5 vocabulary must begin with <pad>, </s> and <unk>.")
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=max_length)


def save_tokenizer(tokenizer: Any, folder: str | Path) -> Path:
    """Write the tokenizer in the transformers folder format."""
    tokenizer.save_pretrained(str(folder))
    return Path(folder)


def load_tokenizer(folder: str | Path) -> Any:
    """Read a tokenizer folder (`tokenizer.json` or `spiece.model`).

    Raises `UserError` when it holds none, or one without words.
    """
    from transformers import T5Tokenizer

    if not any((Path(folder) / name).is_file() for name in FILES):
        raise UserError(f"{folder} holds no T5 tokenizer: it needs {' or '.join(FILES)}.")
    try:
        tokenizer = T5Tokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no T5 tokenizer: {error}") from error
    special = set(tokenizer.added_tokens_encoder)
    if not set(tokenizer.get_vocab()) - special - {SPACE}:
        raise UserError(f"{folder} holds a T5 tokenizer without any words: fetch it again.")
    return tokenizer


def few_words(tokenizer: Any, most: int = 200) -> tuple[str, ...]:
    """The whole words of a tokenizer that knows at most `most` of them, sorted; else none."""
    marks = set(tokenizer.all_special_tokens)
    whole = (piece for piece in tokenizer.get_vocab() if piece not in marks)
    found = sorted(piece[1:] for piece in whole if piece.startswith(SPACE) and len(piece) > 1)
    return tuple(found) if len(found) <= most else ()


def text_length(base: str | Path) -> int:
    """Number of text tokens the transformer of a backbone folder takes, from its configuration.

    Raises:
        UserError: there is no such configuration, or it does not say.
    """
    path = Path(base) / "transformer" / "config.json"
    try:
        return int(json.loads(path.read_text())["max_text_seq_length"])
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}): name a folder in the diffusers layout."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} does not say max_text_seq_length: name a CogVideoX folder as backbone."
        ) from None
