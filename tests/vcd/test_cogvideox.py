"""A subject's tokens on CogVideoX: the sentence, what learns, and clips of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mm_model.embedded.objects.example import DrawnSubject
from mm_model.errors import UserError
from mm_model.settings import load_profile
from mm_model.settings.subject import SubjectSettings
from mm_model.vcd import learn
from mm_model.vcd.animate import Take
from mm_model.vcd.bases import open_base
from mm_model.vcd.cog_clips import CogAnimator, load_cog_animator
from mm_model.vcd.cogvideox import CogVideoX, load_cogvideox
from mm_model.vcd.tokens import IdTokens

pytestmark = pytest.mark.capability("tokens of a subject on CogVideoX", scale="T")

WIDTH, LENGTH = 96, 32
TAKE = Take("a <rex> cup smiles", 3, frames=9, height=64, width=64, steps=2, guidance=2.0)
QUICK: dict[str, Any] = {"tokens": 3, "steps": 4, "batch_size": 2, "checkpoint_every": 2}


@pytest.fixture(scope="module")
def base(tiny_backbone: Path) -> CogVideoX:
    return load_cogvideox(
        tiny_backbone, torch.device("cpu"), torch.float32, space="output", size=64
    )


@pytest.fixture(scope="module", params=["output", "input"])
def either(base: CogVideoX, request: pytest.FixtureRequest) -> CogVideoX:
    """The same networks, with tokens in either space."""
    return replace(base, space=request.param)


@pytest.fixture(scope="module")
def usual(root: Path) -> SubjectSettings:
    return load_profile(root, "tiny").subject


def subject(kind: str = "cup") -> learn.SubjectToLearn:
    drawn = DrawnSubject(kind).photographs(3, 64)
    photos = tuple(learn.SubjectPhoto(one.image, one.mask) for one in drawn)
    return learn.SubjectToLearn("rex", "cup", photos)


def learned(base: CogVideoX, usual: SubjectSettings, work: Path, **changes: Any) -> learn.Learned:
    told = changes.pop("told", lambda *_: None)
    return learn.learn(
        base,
        subject(),
        usual.model_copy(update={**QUICK, **changes}),
        seed=4,
        work=work,
        base_digest="base",
        say=lambda _: None,
        on_step=told,
    )


def rex(count: int = 3, seed: int = 1) -> IdTokens:
    generator = torch.Generator().manual_seed(seed)
    return IdTokens("<rex>", torch.randn(count, WIDTH, generator=generator))


def test_only_the_tokens_learn(either: CogVideoX, usual: SubjectSettings, tmp_path: Path) -> None:
    parts = (either.transformer, either.vae, either.text_encoder)
    before = [{k: v.clone() for k, v in part.state_dict().items()} for part in parts]
    made = learned(either, usual, tmp_path)
    for part, was in zip(parts, before, strict=True):
        assert part.state_dict().keys() == was.keys()
        assert all(torch.equal(value, was[name]) for name, value in part.state_dict().items())
        assert not any(value.requires_grad for value in part.parameters())
    assert made.tokens.vectors.shape == (3, WIDTH) and len(made.losses) == 4


def test_a_subject_is_fitted(either: CogVideoX, usual: SubjectSettings, tmp_path: Path) -> None:
    """On the same draws the masked loss is lower with the learned tokens than at the start."""
    made = learned(either, usual, tmp_path, steps=25, tokens=8, checkpoint_every=100)
    again = learn._Learner(
        either, subject(), usual.model_copy(update={**QUICK, "tokens": 8, "unmasked_share": 0.0}), 9
    )
    begun = again.step(0)
    with torch.no_grad():
        again._vectors.copy_(made.tokens.vectors)
    assert again.step(0) < begun


def test_what_is_cut_off_goes_on_bit_for_bit(
    base: CogVideoX, usual: SubjectSettings, tmp_path: Path
) -> None:
    whole = learned(base, usual, tmp_path / "whole")

    def cut(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned(base, usual, tmp_path / "cut", told=cut)
    steps: list[int] = []
    went_on = learned(base, usual, tmp_path / "cut", told=lambda done, _: steps.append(done))
    assert steps == [3, 4], "it began at the checkpoint of step 2"
    assert torch.equal(went_on.tokens.vectors, whole.tokens.vectors)
    assert went_on.losses == whole.losses


def test_a_sentence_keeps_its_length(either: CogVideoX) -> None:
    with torch.no_grad():
        plain = either.words(["a cup smiles"])
        ours = either.words(["a <rex> cup smiles", "a <rex> cup" + " smiles" * 60], rex())
    assert plain.shape == (1, LENGTH, WIDTH) and ours.shape == (2, LENGTH, WIDTH)


def test_in_the_output_the_sentence_around_the_tokens_stays(base: CogVideoX) -> None:
    """The tokens stand before the class word, and what moves out at the end is padding."""
    held = rex()
    with torch.no_grad():
        plain, ours = base.words(["a cup smiles"])[0], base.words(["a <rex> cup smiles"], held)[0]
    assert torch.equal(ours[1:4], held.vectors)
    assert torch.equal(torch.cat([ours[:1], ours[4:]]), plain[:-3])


def test_tokens_that_are_the_word_say_what_the_word_says_twice(base: CogVideoX) -> None:
    """In the input, rows of the table are words: the encoder cannot tell tokens from them."""
    ours = replace(base, space="input")
    man = base.tokenizer("man", add_special_tokens=False).input_ids
    rows = base.text_encoder.get_input_embeddings().weight[man].detach()
    with torch.no_grad():
        twice = base.words(["a man man smiles"])
        assert torch.equal(ours.words(["a <rex> man smiles"], IdTokens("<rex>", rows)), twice)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a cup", "does not say <rex>"),
        ("a <rex> cup and a <rex> cup", "twice"),
        ("a cup " * 40 + "<rex>", "too late"),
    ],
)
def test_a_prompt_that_cannot_carry_the_subject_is_refused(
    either: CogVideoX, prompt: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        either.words([prompt], rex())


def test_tokens_of_another_family_are_refused(either: CogVideoX) -> None:
    with pytest.raises(UserError, match="family"):
        either.words(["a <rex> cup"], IdTokens("<rex>", torch.zeros(2, 7)))


def test_the_learning_rate_follows_the_size_of_the_words(
    either: CogVideoX, usual: SubjectSettings
) -> None:
    start = either.start("cup")
    auto = usual.model_copy(update={"learning_rate": "auto"})
    size = float(start.rows.square().mean().sqrt())
    assert either.chosen(auto, start).learning_rate == pytest.approx(0.05 * size)
    stated = usual.model_copy(update={"learning_rate": 0.5, "noise_offset": 0.1})
    assert either.chosen(stated, start).learning_rate == 0.5
    assert either.chosen(stated, start).noise_offset == 0.0
    pieces = either.tokenizer("cup", add_special_tokens=False).input_ids
    assert len(start.word) == len(pieces) > 1, "a word that the vocabulary lacks"
    if either.space == "output":
        with torch.no_grad():
            heard = either.words(["photo of a cup"])[0]
        assert torch.equal(start.rows, heard[: len(start.rows)])
        assert start.word[-1] == len(start.rows) - 2, "the word is the last before the end"


def test_the_profile_says_where_tokens_stand_and_a_subject_s_record_may_say_another(
    root: Path, tiny_backbone: Path
) -> None:
    profile = load_profile(root, "tiny")
    told = profile.model_copy(
        update={"subject": profile.subject.model_copy(update={"space": "input"})}
    )
    opened = open_base(tiny_backbone, told)
    assert (opened.space, opened.base.family) == ("input", "cogvideox")
    assert load_cog_animator(tiny_backbone, told, "output").base.space == "output"


@pytest.fixture(scope="module")
def animator(base: CogVideoX) -> CogAnimator:
    return CogAnimator(base)


def test_a_clip_shows_the_subject_that_its_tokens_are(animator: CogAnimator) -> None:
    steps: list[tuple[int, int]] = []
    one = animator.clip(TAKE, rex(), lambda *told: steps.append(told))
    assert one.shape == (9, 64, 64, 3) and one.dtype == np.uint8
    assert steps == [(1, 2), (2, 2)]
    quick = replace(TAKE, steps=1, frames=1)
    short = animator.clip(quick, rex())
    assert np.array_equal(short, animator.clip(quick, rex()))
    assert not np.array_equal(short, animator.clip(quick, rex(seed=2)))
    assert not np.array_equal(short, animator.clip(replace(quick, seed=4), rex()))


def test_without_subject_and_gamma_it_is_the_plain_pipeline_s_clip(animator: CogAnimator) -> None:
    take = replace(TAKE, prompt="a man smiles")
    theirs = animator._pipe(
        prompt=take.prompt,
        num_frames=9,
        height=64,
        width=64,
        num_inference_steps=2,
        guidance_scale=2.0,
        generator=torch.Generator().manual_seed(take.seed),
        max_sequence_length=LENGTH,
        output_type="np",
    ).frames[0]
    assert np.array_equal(animator.clip(take), (theirs * 255).round().astype(np.uint8))


def test_correlated_noise_moves_less(animator: CogAnimator) -> None:
    def motion(gamma: float) -> float:
        clip = animator.clip(replace(TAKE, gamma=gamma), rex()).astype(float)
        return float(np.abs(np.diff(clip, axis=0)).mean())

    assert motion(0.9) < motion(0.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 5}, "nearest is"),
        ({"frames": 17}, "maximum of 9"),
        ({"height": 72}, "multiples of 16"),
    ],
)
def test_what_cannot_be_made_is_refused(animator: CogAnimator, changes: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        animator.clip(replace(TAKE, **changes), rex())
