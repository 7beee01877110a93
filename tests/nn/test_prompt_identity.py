"""Trigger parser, expansion to identity positions and the text fusion."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_model.errors import UserError
from mm_model.nn.identity.prompt import encode_prompts, encode_text, expand_prompt, plain_prompt
from mm_model.nn.identity.subject import clean_prompt, parse_prompt
from mm_model.nn.magic_mirror.fusion import TextFusion, fuse_text
from tests.nn import tiny


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


@pytest.mark.parametrize(
    ("prompt", "text", "word"),
    [
        ("a man img walks", "a man walks", "man"),
        ("a policeman img, smiling", "a policeman, smiling", "policeman"),
        ("a man img.", "a man.", "man"),
        ("A WOMAN img waves", "A WOMAN waves", "WOMAN"),
        ("the man, img walks", "the man, walks", "man"),
        ("img2img of a man img", "img2img of a man", "man"),
        ("IMG shot of a boy img", "IMG shot of a boy", "boy"),
        ("a well-known man-child img runs", "a well-known man-child runs", "man-child"),
        ("a Woman in a park", "a Woman in a park", "Woman"),
        ("the manor of a girl", "the manor of a girl", "girl"),
    ],
)
def test_trigger_is_removed_and_the_word_before_it_found(prompt, text, word):
    parsed = parse_prompt(prompt)
    assert (parsed.text, parsed.class_word) == (text, word)


@pytest.mark.parametrize(
    ("prompt", "hint"),
    [
        ("a man img and a woman img", "2 times"),
        ("img walks", "before"),
        ("a red hat", "no subject"),
    ],
)
def test_unusable_prompts_are_refused(prompt, hint):
    with pytest.raises(UserError, match=hint):
        parse_prompt(prompt)


def test_prompts_without_trigger_stay_as_they_are():
    assert clean_prompt("a red  hat") == "a red  hat"
    assert clean_prompt("a man img walks") == "a man walks"


words = st.lists(st.sampled_from([*tiny.WORDS, "zebra", "img2", "(x)"]), min_size=0, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    before=words, after=words, refs=st.integers(1, 4), name=st.sampled_from(["man", "policeman"])
)
def test_expansion_properties(tokenizer, before, after, refs, name):
    prompt = " ".join([*before, name, "img", *after])
    clean = " ".join([*before, name, *after])
    out = expand_prompt(tokenizer, prompt, refs, 64)
    ids = tokenizer(clean)["input_ids"]
    kept = out.ids[: len(ids) + 2 * refs - 1].tolist()
    marked = out.mask.nonzero().flatten()
    assert out.mask.sum() == 2 * refs
    assert (marked == torch.arange(marked[0], marked[0] + 2 * refs)).all()
    assert len(set(out.ids[marked].tolist())) == 1
    # taking the copies out gives the tokens of the clean prompt: the trigger never reaches T5
    assert kept[: marked[0]] + kept[marked[-1] :] == ids
    piece = tokenizer.convert_ids_to_tokens([kept[marked[0]]])[0]
    assert name.endswith(piece.lstrip("▁"))


def test_a_word_of_several_pieces_expands_its_last_piece(tokenizer):
    out = expand_prompt(tokenizer, "a policeman img walks", 1, 32)
    pieces = tokenizer.convert_ids_to_tokens(out.ids[out.mask].tolist())
    assert pieces == ["n", "n"]


def test_truncation_keeps_the_end_token_and_refuses_a_cut_identity(tokenizer):
    out = expand_prompt(tokenizer, "a man img " + "walks " * 30, 2, 16)
    assert out.ids.shape == (16,)
    assert out.ids[-1] == tokenizer.eos_token_id
    with pytest.raises(UserError, match="too long"):
        expand_prompt(tokenizer, "walks " * 14 + "a man img", 2, 16)


def test_rows_without_identity_are_tokenised_as_the_base_does(tokenizer):
    ids, mask = encode_prompts(tokenizer, ["a man img walks", "a man img walks"], [1, 0], 16)
    assert torch.equal(ids[1], plain_prompt(tokenizer, "a man walks", 16).ids)
    assert mask.sum(dim=1).tolist() == [2, 0]


def test_text_encoding_equals_the_stock_pipeline_s_way(tokenizer):
    encoder = tiny.text_encoder()
    ids = plain_prompt(tokenizer, "a man walks", 16).ids[None]
    with torch.no_grad():
        assert torch.equal(encode_text(encoder, ids), encoder(ids)[0])


def fusion_case(refs=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    text = torch.randn(3, 16, 32, generator=g)
    mask = torch.zeros(3, 16, dtype=torch.bool)
    mask[0, 2 : 2 + 2 * refs] = True
    mask[2, 5 : 5 + 2 * refs] = True
    return text, mask, torch.randn(3, refs, 2, 32, generator=g)


@pytest.mark.capability("text fusion", scale="T")
def test_fusion_changes_masked_positions_only():
    fusion = TextFusion(32, 32)
    text, mask, x_id = fusion_case()
    assert torch.equal(fuse_text(fusion, text, mask, x_id=x_id), text)
    tiny.shake(fusion)
    out = fuse_text(fusion, text, mask, x_id=x_id)
    assert torch.equal(out[~mask], text[~mask])
    assert (out[mask] != text[mask]).any(dim=-1).all()
    assert torch.equal(fuse_text(fusion, text, mask, x_id=x_id, scale=0.0), text)


@pytest.mark.capability("text fusion", scale="T")
def test_fusion_is_reference_major():
    fusion = TextFusion(32, 32)
    tiny.shake(fusion)
    text, mask, x_id = fusion_case()
    out = fuse_text(fusion, text, mask, x_id=x_id)
    for place, (ref, token) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        expected = fusion(text[0, 2 + place][None], x_id[0, ref, token][None])[0]
        assert torch.allclose(out[0, 2 + place], expected, atol=1e-6)


def test_padded_references_take_no_text_position():
    fusion = TextFusion(32, 32)
    tiny.shake(fusion)
    text, mask, x_id = fusion_case(refs=1)
    padded = torch.cat([x_id, torch.full_like(x_id, 9.0)], dim=1)
    valid = torch.tensor([[True, False]] * 3)
    assert torch.equal(
        fuse_text(fusion, text, mask, x_id=padded, reference_mask=valid),
        fuse_text(fusion, text, mask, x_id=x_id),
    )
    with pytest.raises(ValueError, match="do not match"):
        fuse_text(fusion, text, mask, x_id=padded)
