"""ID tokens: what they change, what they leave alone, and the file that other tools read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mm_model.errors import UserError
from mm_model.settings.subject import SubjectSettings
from mm_model.vcd import augment, learn, tokens
from mm_model.vcd.stable_diffusion import StableDiffusion, load_checkpoint
from mm_model.vcd.tokens import IdTokens
from tests.vcd import tiny_sd

pytestmark = pytest.mark.capability("tokens of a subject", scale="L")

CPU, FLOAT = torch.device("cpu"), torch.float32


def settings(**changes: Any) -> SubjectSettings:
    return SubjectSettings(
        **{
            "tokens": 3,
            "start": "class",
            "space": "output",
            "size": tiny_sd.SIZE,
            "steps": 6,
            "batch_size": 2,
            "learning_rate": 1e-2,
            "weight_decay": 1e-2,
            "betas": (0.9, 0.999),
            "noise_offset": 0.1,
            "unmasked_share": 0.0,
            "reframed_share": 1.0,
            "checkpoint_every": 2,
            "on_backbone": dict.fromkeys(("tokens", "learning_rate", "reframed_share")),
            **changes,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd.checkpoint(tmp_path_factory.mktemp("sd") / "checkpoint")


@pytest.fixture(scope="module")
def base(folder: Path) -> StableDiffusion:
    return load_checkpoint(folder, CPU, FLOAT)


def subject(outside: int = 0) -> learn.SubjectToLearn:
    """Two photographs; `outside` is the grey of what no mask covers."""
    rng = np.random.default_rng(3)
    photos = []
    for _ in range(2):
        pixels = np.full((32, 32, 3), outside, np.uint8)
        mask = np.zeros((32, 32), bool)
        mask[8:24, 8:24] = True
        pixels[mask] = rng.integers(0, 256, (mask.sum(), 3), np.uint8)
        photos.append(learn.SubjectPhoto(pixels, mask))
    return learn.SubjectToLearn("rex", "man", tuple(photos))


def learned(base: StableDiffusion, work: Path, **changes: Any) -> learn.Learned:
    told = changes.pop("told", lambda *_: None)
    return learn.learn(
        base,
        subject(),
        settings(**changes),
        seed=4,
        work=work,
        base_digest="base",
        say=lambda _: None,
        on_step=told,
    )


def test_only_the_tokens_learn(base: StableDiffusion, tmp_path: Path) -> None:
    parts = (base.unet, base.vae, base.text_encoder)
    before = [{k: v.clone() for k, v in part.state_dict().items()} for part in parts]
    made = learned(base, tmp_path)
    for part, was in zip(parts, before, strict=True):
        assert part.state_dict().keys() == was.keys()
        assert all(torch.equal(value, was[name]) for name, value in part.state_dict().items())
    assert made.tokens.vectors.shape == (3, tiny_sd.WIDTH)
    assert len(made.losses) == 6


def test_a_subject_is_fitted(base: StableDiffusion, tmp_path: Path) -> None:
    """On the same draws the loss is lower with the learned tokens than with those of the start."""
    made = learned(base, tmp_path, steps=60, learning_rate=5e-2, checkpoint_every=100)
    again = learn._Learner(base, subject(), settings(), 4)
    with torch.no_grad():
        again._vectors.copy_(made.tokens.vectors)
    assert again.step(0) < made.losses[0]


def test_other_tools_read_the_file(base: StableDiffusion, folder: Path, tmp_path: Path) -> None:
    """diffusers' own loader gives the sentence the same meaning, bit for bit."""
    from diffusers import StableDiffusionPipeline

    made = learned(base, tmp_path / "work").tokens
    made.save(tmp_path / "rex.safetensors")
    pipe = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipe.load_textual_inversion(str(tmp_path), weight_name="rex.safetensors")
    prompt = "a photo of a <rex> man smiling"
    theirs, _ = pipe.encode_prompt(prompt, "cpu", 1, False)
    with torch.no_grad():
        ours = base.words([prompt], IdTokens.read(tmp_path / "rex.safetensors"))
    assert torch.equal(ours, theirs)
    with torch.no_grad():
        assert not torch.allclose(ours, base.words(["a photo of a man smiling"]))


def test_what_is_cut_off_goes_on_bit_for_bit(base: StableDiffusion, tmp_path: Path) -> None:
    whole = learned(base, tmp_path / "whole")

    def cut(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned(base, tmp_path / "cut", told=cut)
    steps: list[int] = []
    went_on = learned(base, tmp_path / "cut", told=lambda done, _: steps.append(done))
    assert steps == [5, 6], "it began at the checkpoint of step 4"
    assert torch.equal(went_on.tokens.vectors, whole.tokens.vectors)
    assert went_on.losses == whole.losses


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": 2},
        {"size": 24},
        {"steps": 3},
        {"batch_size": 1},
        {"learning_rate": 2e-2},
        {"weight_decay": 0.5},
        {"betas": (0.5, 0.999)},
        {"betas": (0.9, 0.5)},
        {"noise_offset": 0.5},
        {"unmasked_share": 1.0},
        {"reframed_share": 0.0},
    ],
    ids=lambda changes: "".join(changes),
)
def test_every_value_of_the_section_counts(
    base: StableDiffusion, tmp_path: Path, changes: dict[str, Any]
) -> None:
    usual = learned(base, tmp_path / "usual", steps=2).tokens.vectors
    again = learned(base, tmp_path / "again", steps=2, checkpoint_every=1).tokens.vectors
    other = learned(base, tmp_path / "other", **{"steps": 2, **changes}).tokens.vectors
    assert torch.equal(usual, again), "when checkpoints are written changes nothing"
    assert usual.shape != other.shape or not torch.equal(usual, other)


def test_where_no_learning_rate_is_stated_it_is_the_published_one(
    base: StableDiffusion, tmp_path: Path
) -> None:
    made = [learned(base, tmp_path / str(rate), learning_rate=rate) for rate in ("auto", 1e-3)]
    assert torch.equal(made[0].tokens.vectors, made[1].tokens.vectors)
    assert made[0].learning_rate == 1e-3


def test_other_work_is_not_gone_on_with(base: StableDiffusion, tmp_path: Path) -> None:
    learned(base, tmp_path)
    steps: list[int] = []
    learned(base, tmp_path, tokens=2, told=lambda done, _: steps.append(done))
    assert steps[0] == 1


def test_a_table_longer_than_the_tokenizer_still_gives_the_tokens(folder: Path) -> None:
    """Some checkpoints pad their table; its spare rows are not the subject."""
    padded = load_checkpoint(folder, CPU, FLOAT)
    held = IdTokens("<rex>", torch.randn(2, tiny_sd.WIDTH))
    with torch.no_grad():
        before = padded.words(["a <rex> man"], held)
        padded.text_encoder.resize_token_embeddings(len(padded.tokenizer) + 8)
        assert torch.equal(padded.words(["a <rex> man"], held), before)


def test_views_move_the_mask_with_the_picture() -> None:
    """The subject is white on black: after every change the mask covers what is white."""
    mask = np.zeros((64, 64), bool)
    mask[20:44, 26:40] = True
    pixels = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    whole, prefixes = augment.plain(pixels, mask, 64), set()
    for seed in range(60):
        view = augment.varied(whole, np.random.default_rng(seed))
        prefixes.add(view.prefix)
        assert view.pixels.shape == (64, 64, 3)
        light = view.pixels.mean(axis=2)
        white = (light > 200) & view.shown
        assert (white & ~view.mask).sum() <= 0.15 * view.mask.sum() + 8, seed
        assert view.mask.sum() <= white.sum() * 1.3 + 20, seed
        assert not (view.mask & ~view.shown).any()
    assert prefixes == {"", *augment.FAR, *augment.NEAR}


def test_views_that_are_not_reframed_are_at_most_mirrored() -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
    whole = augment.plain(pixels, np.ones((32, 32), bool), 32)
    views = [augment.varied(whole, np.random.default_rng(seed), 0.0) for seed in range(12)]
    kinds = {np.array_equal(view.pixels, whole.pixels) for view in views}
    assert kinds == {True, False}
    for view in views:
        assert view.prefix == "" and view.shown.all()
        assert any(np.array_equal(view.pixels[:, ::way], whole.pixels) for way in (1, -1))


def test_the_picture_s_own_edges_do_not_count_where_nothing_is_shown() -> None:
    whole = augment.plain(np.full((40, 60, 3), 255, np.uint8), np.ones((40, 60), bool), 32)
    assert whole.shown.all()
    small = [augment.varied(whole, np.random.default_rng(seed)) for seed in range(20)]
    for view in small:
        canvas = view.pixels[~view.shown]
        if len(canvas) > 300:
            assert np.mean(canvas == 127) > 0.6, "but for smoothed edges"
    assert sum((~view.shown).sum() > 300 for view in small) > 5


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a man", "does not say <rex>"),
        ("a <rex> man and a <rex> man", "twice"),
        ("a man " * 80 + "<rex>", "too late"),
    ],
)
def test_a_prompt_that_cannot_carry_the_subject_is_refused(
    base: StableDiffusion, prompt: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        base.words([prompt], IdTokens("<rex>", torch.zeros(2, tiny_sd.WIDTH)))


def test_tokens_of_another_family_are_refused(base: StableDiffusion) -> None:
    with pytest.raises(UserError, match="family"):
        base.words(["a <rex> man"], IdTokens("<rex>", torch.zeros(2, 7)))


def test_a_long_prompt_is_cut_at_its_end(base: StableDiffusion) -> None:
    held = IdTokens("<rex>", torch.ones(2, tiny_sd.WIDTH))
    with torch.no_grad():
        assert base.words(["a <rex> man" + " smiling" * 90], held).shape[1] == 77


@pytest.mark.parametrize("start", ["class", "rare"])
def test_first_values(start: str) -> None:
    rows = torch.randn(50000, 8)
    made = tokens.first_values(rows, [5, 7], 4, start, torch.Generator().manual_seed(1))
    expected = (
        [rows[[5, 7]].mean(0)] * 4 if start == "class" else list(rows[[42170, 47629, 43514, 43514]])
    )
    assert (made - torch.stack(expected)).abs().max() < 0.06
    assert len({tuple(row.tolist()) for row in made}) == 4, "equal tokens would stay equal"


def test_a_small_vocabulary_has_no_rare_words(base: StableDiffusion, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"subject\.start"):
        learned(base, tmp_path, start="rare")


@pytest.mark.parametrize(
    "content",
    [
        {"a": torch.ones(2, 4), "b": torch.ones(2, 4)},
        {"a": torch.ones(2, 2, 4)},
        {"a": torch.full((2, 4), torch.nan)},
        {},
    ],
)
def test_a_file_of_something_else_is_refused(content: dict, tmp_path: Path) -> None:
    save_file(content, tmp_path / "file.safetensors")
    with pytest.raises(UserError, match=r"file\.safetensors"):
        IdTokens.read(tmp_path / "file.safetensors")


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    IdTokens("<rex>", torch.ones(2, 4)).save(tmp_path / "torn.safetensors")
    content = (tmp_path / "torn.safetensors").read_bytes()
    (tmp_path / "torn.safetensors").write_bytes(content[:-5])
    with pytest.raises(UserError, match="learn the subject again"):
        IdTokens.read(tmp_path / "torn.safetensors")


def test_a_checkpoint_of_another_family_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unet is missing"):
        load_checkpoint(tmp_path, CPU, FLOAT)
    import shutil

    other = shutil.copytree(folder, tmp_path / "other")
    (other / "text_encoder_2").mkdir()
    with pytest.raises(UserError, match="SDXL"):
        load_checkpoint(other, CPU, FLOAT)
