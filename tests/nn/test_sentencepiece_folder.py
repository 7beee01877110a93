"""A tokenizer folder as CogVideoX-5B ships it: `spiece.model` and no `tokenizer.json`."""

import io
import itertools
import json
from pathlib import Path

import pytest
import sentencepiece

from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.cogvideox.tokenizer import load_tokenizer
from tests.nn import tiny
from tests.serving.house import random_backbone

pytestmark = pytest.mark.capability("CogVideoX-5B's layout", scale="L")

SENTENCES = [
    f"{who} {does} {where}"
    for who, does, where in itertools.product(
        ("a man", "an elderly woman", "the girl"),
        ("walks", "smiles", "waves slowly"),
        ("in the park", "near a red house", "by the sea"),
    )
]
LENGTH = 226


def trained() -> bytes:
    """A small unigram model with T5's special pieces at T5's places."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def write(folder: Path, model: bytes) -> Path:
    """The three files of the published folder."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    extra = [f"<extra_id_{number}>" for number in range(100)]
    settings = {
        "tokenizer_class": "T5Tokenizer",
        "model_max_length": LENGTH,
        "extra_ids": 100,
        "additional_special_tokens": extra,
        "legacy": True,
        "sp_model_kwargs": {},
        "clean_up_tokenization_spaces": True,
        **special,
    }
    (folder / "spiece.model").write_bytes(model)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").write_text(
        json.dumps({**special, "additional_special_tokens": extra})
    )
    return folder


@pytest.fixture(scope="module")
def model() -> bytes:
    return trained()


@pytest.mark.parametrize("words", [*SENTENCES[::7], "A Policeman, 42, waves!"])
def test_ids_are_sentencepiece_s_own(tmp_path: Path, model: bytes, words: str) -> None:
    folder = write(tmp_path, model)
    own = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    tokenizer = load_tokenizer(folder)
    assert tokenizer(words).input_ids == [*own.encode(words), own.eos_id()]
    assert tokenizer.model_max_length == LENGTH


def test_a_prompt_is_padded_to_the_length_of_the_text_encoder(tmp_path: Path, model: bytes) -> None:
    tokenizer = load_tokenizer(write(tmp_path, model))
    out = tokenizer("a man waves", padding="max_length", max_length=LENGTH, truncation=True)
    assert len(out.input_ids) == LENGTH
    assert out.input_ids[-1] == tokenizer.pad_token_id == 0


def test_a_whole_backbone_with_such_a_folder_loads(tmp_path: Path, model: bytes) -> None:
    random_backbone(tmp_path)
    (tmp_path / "tokenizer" / "tokenizer.json").unlink()
    write(tmp_path / "tokenizer", model)
    words = SENTENCES[0]
    parts = load_components(tmp_path)
    assert len(parts["tokenizer"](words).input_ids) > len(words.split())
    assert parts["transformer"].config.num_layers == tiny.TRANSFORMER["num_layers"]


@pytest.mark.parametrize("damage", [b"", b"\xff\xff no model", b"{}"])
def test_a_damaged_model_is_one_sentence(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(UserError, match="tokenizer"):
        load_tokenizer(write(tmp_path, damage))
