"""Captions are judged alike by both kinds of tokenizer folder: tokenizer.json and spiece.model."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.nn.cogvideox.tokenizer import load_tokenizer, text_length
from mm_model.nn.identity.prompt import encode_prompts
from mm_model.nn.identity.subject import MOST_REFERENCES, PromptError, check_caption
from mm_model.records import CaptionProblem

LONG = 226
"""CogVideoX's text length."""

SENTENCES = (
    "a man waves at the camera",
    "a woman looks at the camera",
    "an elderly person nods",
    "portrait photograph, studio lighting, grey background",
    "a policeman walks in the park",
)


@pytest.fixture(scope="module")
def spiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer folder laid out as CogVideoX-5B's: a SentencePiece model, no tokenizer.json."""
    import sentencepiece

    model, folder = io.BytesIO(), tmp_path_factory.mktemp("tokenizer")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=model,
        vocab_size=90,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    said = {
        "additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)],
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(said))
    more = {"extra_ids": 100, "model_max_length": LONG, "tokenizer_class": "T5Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said | more))
    return folder


@pytest.fixture(params=["tokenizer.json", "spiece.model"])
def tokenizer(request: pytest.FixtureRequest, tiny_backbone: Path, spiece: Path) -> Any:
    folder = tiny_backbone / "tokenizer" if request.param == "tokenizer.json" else spiece
    assert (folder / request.param).is_file()
    return load_tokenizer(folder)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("portrait photograph, studio lighting, grey background, a person looks at it", None),
        ("an officer, " * 130 + "a man", CaptionProblem.LATE_SUBJECT),
        ("a park", CaptionProblem.NO_SUBJECT),
        ("a man </s> waves", CaptionProblem.MARK),
        ("a man <unk> waves", CaptionProblem.MARK),
        ("男人 img 挥手", None),
    ],
)
def test_a_judgement_is_what_training_meets(
    tokenizer: Any, text: str, problem: CaptionProblem | None
) -> None:
    if problem is None:
        check_caption(tokenizer, text, LONG)
    else:
        with pytest.raises(PromptError) as refused:
            check_caption(tokenizer, text, LONG)
        assert refused.value.problem == problem
    if problem in (None, CaptionProblem.MARK):
        ids, mask = encode_prompts(tokenizer, [text], [MOST_REFERENCES], LONG)
        assert ids.shape == (1, LONG) and mask.sum() == 2 * MOST_REFERENCES
    else:
        with pytest.raises(PromptError):
            encode_prompts(tokenizer, [text], [MOST_REFERENCES], LONG)


@pytest.mark.parametrize("text", ["a man <extra_id_7> waves", "＜/s＞ a man waves"])
def test_marks_are_found_however_they_are_written(spiece: Path, text: str) -> None:
    with pytest.raises(PromptError, match="mark of the tokenizer"):
        check_caption(load_tokenizer(spiece), text, LONG)


def test_the_subject_may_lie_exactly_where_the_text_ends(tokenizer: Any) -> None:
    """Room for the most references and the end's mark, and not one token more."""
    verdicts = []
    for length in range(16, 40):
        for words in range(length - 2 * MOST_REFERENCES - 4, length - MOST_REFERENCES):
            text = "a " * words + "man"
            at = len(tokenizer(text, add_special_tokens=False)["input_ids"]) - 1
            verdicts.append(at + 2 * MOST_REFERENCES + 1 <= length)
            if verdicts[-1]:
                check_caption(tokenizer, text, length)
            else:
                with pytest.raises(PromptError, match="beyond the text length"):
                    check_caption(tokenizer, text, length)
    assert 0 < sum(verdicts) < len(verdicts)


def test_a_folder_of_neither_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.json or spiece\.model"):
        load_tokenizer(tmp_path)
    with pytest.raises(UserError, match=r"config\.json cannot be read \(no such file"):
        text_length(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[1]", "not JSON", '{"max_text_seq_length": null}'])
def test_a_transformer_that_does_not_say_its_text_length_is_named(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "config.json").write_text(content)
    with pytest.raises(UserError, match="does not say max_text_seq_length"):
        text_length(tmp_path)
