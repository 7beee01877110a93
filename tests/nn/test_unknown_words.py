"""Words that a tokenizer has no pieces for are found, whatever kind of tokenizer it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mm_model.nn.cogvideox.tokenizer import few_words, load_tokenizer
from mm_model.nn.identity.subject import unknown_words
from tests.nn.test_sentencepiece_folder import model, write

__all__ = ["model"]  # a fixture

pytestmark = pytest.mark.capability("unknown words", scale="T")


@pytest.fixture(scope="module")
def shipped(root: Path) -> Any:
    return load_tokenizer(root / "weights" / "tiny" / "backbone" / "tokenizer")


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a woman smiles", ()),
        ("A woman img smiles.", ()),  # the trigger is no word of the sentence
        ("a man's img nods", ()),
        ("a woman smiles, watercolor style, watercolor", ("watercolor", "style")),
        ("Art-nouveau, a Woman smiles", ("Art-nouveau", "Woman")),
        ("the womanly img walks", ("womanly",)),
        ("a man x nods 3", ("x", "3")),
        ("a man 微笑 nods", ("微笑",)),
    ],
)
def test_of_the_shipped_weights(shipped: Any, prompt: str, unknown: tuple[str, ...]) -> None:
    assert unknown_words(shipped, prompt) == unknown


def test_the_shipped_weights_know_what_their_people_do(shipped: Any) -> None:
    from mm_model.embedded.people.caption import CAPTION_WORDS

    assert set(CAPTION_WORDS) <= set(few_words(shipped))
    assert unknown_words(shipped, " ".join(few_words(shipped))) == ()
    assert few_words(shipped, most=20) == ()


def test_of_a_sentencepiece_model(tmp_path: Path, model: bytes) -> None:
    """Letters that it has no piece for are its mark of the unknown."""
    tokenizer = load_tokenizer(write(tmp_path / "tokenizer", model))
    assert unknown_words(tokenizer, "a man walks in the park") == ()
    assert unknown_words(tokenizer, "a man QXZ walks") == ("QXZ",)
