"""The subject of a prompt: which word it is, and where its identity positions lie in the tokens.

The one owner of what makes a prompt usable, for stage ingest, training, evaluation and serving
alike. Needs a tokenizer and no torch, so that a caption can be judged long before a model is
loaded. Tokenizer independent: offsets are intersected with the word's span, never compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mm_model.errors import UserError
from mm_model.records import CaptionProblem

TRIGGER = "img"
CLASS_WORDS = ("man", "woman", "boy", "girl", "baby", "person", "child", "lady", "guy", "gentleman")
TOKENS_PER_REFERENCE = 2  # of the identity perceiver (paper v1, A.5)
MOST_REFERENCES = 4
"""The most references that any stage or request shows at once."""
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


class PromptError(UserError):
    """A prompt that cannot carry an identity; `problem` is the code of what is wrong with it."""

    def __init__(self, problem: CaptionProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


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

    The trigger is case-sensitive and needs word boundaries. Raises `PromptError` when it occurs
    more than once, has no word before it, or when the prompt names no subject at all.
    """
    found = list(re.finditer(rf"(?<!\w){re.escape(trigger)}(?!\w)", prompt))
    if len(found) > 1:
        raise PromptError(
            CaptionProblem.TRIGGER,
            f"The prompt holds {trigger!r} {len(found)} times; put it once, after the subject's "
            "word.",
        )
    if found:
        return _before_trigger(prompt, found[0], trigger)
    names = "|".join(re.escape(word) for word in class_words)
    match = re.search(rf"(?<!\w)(?:{names})(?!\w)", prompt, re.IGNORECASE)
    if match is None:
        raise PromptError(
            CaptionProblem.NO_SUBJECT,
            f"The prompt names no subject: write {trigger!r} after the subject's word, as in "
            f"'a man {trigger} walks', or use one of {', '.join(class_words)}.",
        )
    return ParsedPrompt(prompt, match.start(), match.end())


def _before_trigger(prompt: str, found: re.Match[str], trigger: str) -> ParsedPrompt:
    before = list(_WORD.finditer(prompt, 0, found.start()))
    if not before:
        raise PromptError(
            CaptionProblem.TRIGGER,
            f"The prompt has no word before {trigger!r}; write for instance 'a man {trigger}'.",
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
class PlacedIdentity:
    """Unpadded token `ids`; the identity positions are the `copies` ids from `at` on.

    `unread` are the words of the prompt that were cut off, wholly or in part, in their order.
    """

    ids: list[int]
    at: int
    copies: int
    unread: tuple[str, ...] = ()


def place_identity(
    tokenizer: Any,
    prompt: str,
    references: int,
    *,
    max_length: int,
    tokens_per_reference: int = TOKENS_PER_REFERENCE,
    trigger: str = TRIGGER,
    class_words: Sequence[str] = CLASS_WORDS,
) -> PlacedIdentity:
    """Token ids in which the class word's last piece stands once for each identity position.

    Cut to `max_length` keeping the end token. Raises `PromptError` when the identity positions
    would be cut off, when no piece stands for the word, and for the reasons of `parse_prompt`.
    """
    parsed = parse_prompt(prompt, trigger, class_words)
    coded = tokenizer(
        parsed.text, add_special_tokens=True, return_offsets_mapping=True, verbose=False
    )
    ids, offsets = list(coded["input_ids"]), list(coded["offset_mapping"])
    inside = [
        i
        for i, (start, end) in enumerate(offsets)
        if min(end, parsed.end) > max(start, parsed.start)
    ]
    if not inside:
        raise PromptError(
            CaptionProblem.NO_PIECE,
            f"The tokenizer gives no piece for the word {parsed.class_word!r}; reword the prompt.",
        )
    # The last piece, as in PhotoMaker, whose trigger follows the word. Copies are made before T5,
    # so that it reads as many words as identity tokens will stand there.
    at, copies = inside[-1], references * tokens_per_reference
    ids = ids[:at] + [ids[at]] * copies + ids[at + 1 :]
    unread: tuple[str, ...] = ()
    if len(ids) > max_length:
        ids = [*ids[: max_length - 1], ids[-1]]
        unread = _words_from(parsed.text, offsets[max_length - copies :])
    if at + copies > max_length - 1:
        raise PromptError(
            CaptionProblem.LATE_SUBJECT,
            f"The prompt is too long: {parsed.class_word!r} lies beyond the text length of "
            f"{max_length} tokens; name the subject earlier.",
        )
    return PlacedIdentity(ids, at, copies, unread)


def _words_from(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The words of `text` that a token at `offsets` belongs to."""
    spans = [span for span in offsets if span[1] > span[0]]
    return tuple(
        word[0]
        for word in re.finditer(r"\S+", text)
        if any(min(end, word.end()) > max(start, word.start()) for start, end in spans)
    )


def check_caption(tokenizer: Any, text: str, max_length: int) -> None:
    """Refuse a caption that training, evaluation or sampling could not use.

    Judged with the most references there may be: fewer take less room. Raises `PromptError` for
    the reasons of `place_identity`, and for a mark of the tokenizer (`</s>`) written as text,
    which would end or blank the prompt for the text encoder.
    """
    place_identity(tokenizer, text, MOST_REFERENCES, max_length=max_length)
    refuse_marks(tokenizer, text)


def refuse_marks(tokenizer: Any, text: str) -> None:
    """Refuse a text that holds a mark of the tokenizer. Raises `PromptError`."""
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    marks = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    for token, (start, end) in zip(coded["input_ids"], coded["offset_mapping"], strict=True):
        written = text[start:end].strip()
        if token in marks or written == tokenizer.unk_token:
            raise PromptError(
                CaptionProblem.MARK,
                f"The prompt holds {written!r}, a mark of the tokenizer; leave it out.",
            )


def unknown_words(tokenizer: Any, prompt: str, trigger: str = TRIGGER) -> tuple[str, ...]:
    """The words of a prompt that the tokenizer has no pieces for, in their order, each once.

    Such a word becomes unknown, or falls into single letters, two or more in a row: the text
    encoder reads it, but no such word was in what it learned from.
    """
    text = clean_prompt(prompt, trigger)
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    pieces = list(zip(coded["input_ids"], coded["offset_mapping"], strict=True))
    found: dict[str, None] = {}
    for word in _WORD.finditer(text):
        inside = [
            (token, text[max(start, word.start()) : min(end, word.end())])
            for token, (start, end) in pieces
            if min(end, word.end()) > max(start, word.start())
        ]
        if _falls_apart([token for token, _ in inside], [said for _, said in inside], tokenizer):
            found[word[0]] = None
    return tuple(found)


def _falls_apart(tokens: Sequence[int], said: Sequence[str], tokenizer: Any) -> bool:
    if tokenizer.unk_token_id in tokens or not tokens:
        return True
    single = [len(part.strip()) == 1 and part.strip().isalnum() for part in said]
    if any(first and second for first, second in pairwise(single)):
        return True
    # a word of one letter is known as a word, or as a letter alone
    return len(said) == 1 and single[0] and len(tokenizer.convert_ids_to_tokens(tokens[0])) == 1
