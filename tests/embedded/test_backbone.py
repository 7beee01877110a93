"""The tiny backbone: its published folder, and the resumable training that made it."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_model.embedded.people import people, split
from mm_model.embedded.people.action import ACTIONS, STILLS
from mm_model.embedded.people.caption import caption
from mm_model.embedded.training.backbone import (
    assemble,
    decoder,
    dit,
    identity,
    latents,
    loop,
    pixels,
    portraits,
    render,
    text,
    vae,
)
from mm_model.embedded.training.backbone.recipe import (
    CacheRecipe,
    DecoderRecipe,
    DitRecipe,
    IdentityRecipe,
    Optimisation,
    TextRecipe,
    VaeRecipe,
)
from mm_model.errors import UserError
from mm_model.nn.cogvideox import folded_vae

LENGTH = 32
CAPTIONS = [caption(people.person(seed), name) for seed in range(7) for name in (*ACTIONS, *STILLS)]


def short(steps: int = 4, workers: int = 1) -> Optimisation:
    return Optimisation(steps=steps, learning_rate=1e-3, warmup=2, workers=workers)


SMALL_VAE = VaeRecipe(
    channels=(4, 4, 8, 8),
    latent_channels=4,
    groups=2,
    picture_steps=2,
    picture_batch=2,
    clip_batch=1,
    mixed_pictures=1,
    optimisation=short(),
)
SMALL_DIT = DitRecipe(
    layers=2,
    heads=2,
    head_dim=16,
    time_dim=16,
    image_batch=4,
    clip_batch=2,
    clip_share=0.5,
    text=TextRecipe(d_model=16, d_kv=8, d_ff=16, layers=1, heads=2),
    optimisation=short(),
)
SMALL_IDENTITY = IdentityRecipe(
    patch=16,
    hidden=32,
    mlp=32,
    layers=2,
    heads=2,
    id_dim=32,
    id_depth=1,
    batch=4,
    optimisation=short(),
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoded(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latents")
    model = vae.build_vae(SMALL_VAE).eval()
    latents.encode_cache(model, "one", cache, folder)
    return folder


def weights(training) -> dict[str, torch.Tensor]:
    return {
        f"{kind}/{name}/{key}": value
        for kind in ("modules", "averages")
        for name, module in getattr(training, kind).items()
        for key, value in module.state_dict().items()
    }


# ------------------------------------------------------------------------------ the folder


@pytest.fixture(scope="module")
def pipeline(tiny_backbone: Path):
    from diffusers import CogVideoXPipeline

    pipe = CogVideoXPipeline.from_pretrained(str(tiny_backbone), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def generate(pipe, frames: int) -> np.ndarray:
    return pipe(
        "an elderly woman nods",
        height=64,
        width=64,
        num_frames=frames,
        num_inference_steps=2,
        guidance_scale=3.0,
        max_sequence_length=LENGTH,
        output_type="np",
        generator=torch.Generator().manual_seed(0),
    ).frames[0]


@pytest.mark.parametrize("frames", [1, 9, 17])
def test_stock_pipeline_generates_legal_frame_counts(pipeline, frames):
    video = generate(pipeline, frames)
    assert video.shape == (frames, 64, 64, 3)
    assert np.isfinite(video).all()


def test_stock_pipeline_repeats_itself_bit_for_bit(pipeline):
    assert np.array_equal(generate(pipeline, 9), generate(pipeline, 9))


def test_modules_arrive_in_float32_and_of_the_real_classes(pipeline):
    assert type(pipeline.transformer).__name__ == "CogVideoXTransformer3DModel"
    assert type(pipeline.vae).__name__ == "AutoencoderKLCogVideoX"
    assert type(pipeline.text_encoder).__name__ == "T5EncoderModel"
    for part in (pipeline.vae, pipeline.transformer, pipeline.text_encoder):
        assert {p.dtype for p in part.parameters()} == {torch.float32}


def test_scheduler_is_cogvideox_5b(pipeline):
    config = pipeline.scheduler.config
    assert config.prediction_type == "v_prediction"
    assert config.rescale_betas_zero_snr and config.timestep_spacing == "trailing"
    assert config.snr_shift_scale == 1.0 and not config.clip_sample
    assert float(pipeline.scheduler.alphas_cumprod[-1]) == 0.0


def test_latents_of_held_out_people_have_about_unit_deviation(pipeline):
    frames = np.stack([render.picture(s, 0, 64, 5).image for s in split.HELD_OUT_PEOPLE[:16]])
    with torch.no_grad():
        moments = folded_vae.encode_moments(pipeline.vae, pixels.to_tensor(frames)[:, :, None])
    scaled = moments.chunk(2, dim=1)[0] * pipeline.vae.config.scaling_factor
    assert 0.8 < float(scaled.std()) < 1.25


def test_decoded_pictures_stay_near_the_recorded_quality(pipeline, tiny_backbone):
    recorded = json.loads((tiny_backbone / "manifest.json").read_text())["report"]["held_out"]
    measured = vae.measure_vae(pipeline.vae, pictures=14, clips=2)
    assert measured["picture_psnr"] > recorded["vae"]["picture_psnr"] - 2
    assert measured["clip_psnr"] > recorded["vae"]["clip_psnr"] - 2.5


def test_manifest_holds_and_names_no_held_out_person(tiny_backbone):
    manifest = assemble.verify(tiny_backbone)
    for name, ends in manifest["people"].items():
        assert {split.split_of(seed) for seed in range(*ends)} == {name}
    assert set(manifest["people"]) == {"weights", "encoder"}
    assert manifest["report"]["steps"]["dit"] > 0


def test_a_changed_file_is_named(tiny_backbone, tmp_path):
    copy = tmp_path / "backbone"
    shutil.copytree(tiny_backbone, copy)
    with (copy / "transformer" / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(UserError, match=r"transformer/config\.json"):
        assemble.verify(copy)


def test_people_outside_the_weights_range_are_refused(tiny_backbone, tmp_path):
    copy = tmp_path / "backbone"
    shutil.copytree(tiny_backbone, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["people"]["weights"][1] = split.WEIGHTS_PEOPLE.stop + 1
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="outside the weights"):
        assemble.verify(copy)


@pytest.mark.capability("identity perceiver", scale="T")
def test_identity_encoder_loads_and_tells_people_apart(tiny_backbone):
    from mm_model.nn.identity.encoder import IdentityEncoder

    encoder = IdentityEncoder.from_pretrained(tiny_backbone / "identity_encoder")
    codes = []
    for number in (0, 1):
        frames = [
            render.picture(s, number, 128, 6, "portraits") for s in split.HELD_OUT_PEOPLE[:12]
        ]
        crops = np.stack([portraits.crop(f.image, f.box, encoder.image_size) for f in frames])
        raw = portraits.embed(
            encoder.recognizer,
            np.stack([f.image for f in frames]),
            np.stack([f.landmarks for f in frames]),
        )
        shown = portraits.clip_normalised(crops)[:, None]
        codes.append(encoder.features(shown, torch.from_numpy(raw)[:, None]).x_id.flatten(1))
    cosine = torch.nn.functional.cosine_similarity(codes[0][:, None], codes[1][None], dim=-1)
    same = cosine.diagonal().mean()
    other = cosine[~torch.eye(12, dtype=torch.bool)].mean()
    assert float(same) > float(other) + 0.1


# ------------------------------------------------------------------------------ words


@pytest.mark.parametrize("words", CAPTIONS[::5])
def test_captions_survive_the_tokenizer(words):
    tokenizer = text.make_tokenizer(LENGTH)
    ids = tokenizer(words).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == words
    assert len(ids) == len(words.split()) + 1, "one piece a word, and the end"
    assert len(ids) + 8 <= LENGTH, "room for four references"


def test_published_tokenizer_is_the_one_of_training(pipeline):
    own = text.make_tokenizer(LENGTH)
    for words in [*CAPTIONS, "A policeman, 42, waves!"]:
        assert pipeline.tokenizer(words).input_ids == own(words).input_ids


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_any_ascii_word_tokenises_without_unknown_pieces(word):
    tokenizer = text.make_tokenizer(LENGTH)
    ids = tokenizer(f"a man {word}").input_ids
    assert tokenizer.unk_token_id not in ids
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    assert decoded.replace(" ", "") == f"aman{word}"


def test_repeated_class_word_is_what_an_identity_prompt_looks_like():
    from mm_model.nn.identity.prompt import expand_prompt

    tokenizer = text.make_tokenizer(LENGTH)
    for words in CAPTIONS[::9]:
        expected = expand_prompt(tokenizer, words, 2, LENGTH).ids
        assert torch.equal(text.encode(tokenizer, [words], [4], LENGTH)[0], expected)


# ------------------------------------------------------------------------------ pixels


@pytest.mark.capability("folded VAE", scale="T")
@pytest.mark.parametrize("frames", [1, 9])
def test_folded_vae_equals_the_model(pipeline, frames):
    video = torch.rand(2, 3, frames, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        moments = folded_vae.encode_moments(pipeline.vae, video)
        expected = pipeline.vae.encode(video).latent_dist.parameters
        assert torch.allclose(moments, expected, atol=2e-4)
        latent = moments.chunk(2, dim=1)[0]
        again = pipeline.vae.decode(latent).sample
        assert torch.allclose(folded_vae.decode(pipeline.vae, latent), again, atol=2e-4)


def test_folded_vae_refuses_what_needs_chunks(pipeline):
    with pytest.raises(UserError, match="17"):
        folded_vae.encode_moments(pipeline.vae, torch.zeros(1, 3, 17, 64, 64))
    with pytest.raises(UserError, match="5"):
        folded_vae.decode(pipeline.vae, torch.zeros(1, 16, 5, 8, 8))


def test_rendering_is_resumable_and_refuses_another_recipe(cache, tmp_path):
    recipe = CacheRecipe(people=4, pictures_each=2, portraits_each=2, clips=2)
    again = render.render_cache(tmp_path, recipe, processes=1)
    assert np.array_equal(again["clips"], render.open_cache(cache)["clips"])
    assert again["pictures"].shape == (8, 64, 64, 3)
    with pytest.raises(UserError, match="another recipe"):
        render.render_cache(tmp_path, dataclasses.replace(recipe, clips=3), processes=1)


def test_rendering_refuses_people_of_other_splits(tmp_path):
    many = CacheRecipe(people=split.WEIGHTS_PEOPLE.stop + 1, pictures_each=1, clips=0)
    with pytest.raises(UserError, match="people is 1401"):
        render.render_cache(tmp_path, many, processes=1)
    other = CacheRecipe("held_out", people=2, pictures_each=1, clips=0)
    with pytest.raises(UserError, match="split is 'held_out'"):
        render.render_cache(tmp_path, other, processes=1)


def assert_resumes(train, folder: Path) -> None:
    """Four steps at a stretch equal two steps, a new process's state, and two more."""
    whole = weights(train(folder / "whole", 4))
    train(folder / "cut", 2)
    resumed = weights(train(folder / "cut", 4))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    first = weights(train(folder / "fresh", 1))
    assert any(not torch.equal(whole[key], first[key]) for key in whole)


def test_vae_training_resumes_bit_for_bit(cache, tmp_path):
    assert_resumes(lambda folder, stop: vae.train_vae(cache, folder, SMALL_VAE, stop), tmp_path)


def test_decoder_training_resumes_bit_for_bit_and_spares_the_encoder(
    cache, encoded, eyes, tmp_path
):
    recipe = DecoderRecipe(clips=1, pictures=1, optimisation=short())
    models = []

    def train(folder: Path, stop: int) -> loop.Training:
        models.append(vae.build_vae(SMALL_VAE).eval())
        return decoder.train_decoder(
            models[-1],
            cache,
            encoded,
            folder,
            recipe=recipe,
            weights=SMALL_VAE,
            recognizer=eyes,
            stop=stop,
        )

    assert_resumes(train, tmp_path)
    before = vae.build_vae(SMALL_VAE).encoder.state_dict()
    after = models[0].encoder.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_dit_training_resumes_bit_for_bit(cache, encoded, tmp_path):
    assert_resumes(
        lambda folder, stop: dit.train_dit(cache, encoded, folder, SMALL_DIT, stop), tmp_path
    )


def test_identity_training_resumes_bit_for_bit(cache, eyes, tmp_path):
    assert_resumes(
        lambda folder, stop: identity.train_identity(cache, eyes, folder, SMALL_IDENTITY, stop),
        tmp_path,
    )


def test_a_checkpoint_of_another_recipe_is_refused(cache, encoded, tmp_path):
    dit.train_dit(cache, encoded, tmp_path, SMALL_DIT, 1)
    with pytest.raises(UserError, match="another recipe"):
        dit.train_dit(cache, encoded, tmp_path, dataclasses.replace(SMALL_DIT, seed=9), 2)


def test_training_lowers_the_loss(cache, encoded, tmp_path):
    recipe = dataclasses.replace(SMALL_DIT, optimisation=short(30))
    training = dit.train_dit(cache, encoded, tmp_path, recipe)
    untrained = dit.build_transformer(recipe, 4)
    words = training.modules["text_encoder"]
    losses = []
    for transformer in (untrained, training.modules["transformer"]):
        loss_of = dit.DitLoss(transformer, words, cache, encoded, recipe)
        with torch.no_grad():
            losses.append(sum(float(loss_of(step, 0, 1)[0]) for step in range(100, 108)))
    assert losses[1] < 0.97 * losses[0]


@pytest.mark.slow
def test_two_workers_repeat_themselves(cache, encoded, tmp_path):
    recipe = dataclasses.replace(SMALL_DIT, optimisation=short(3, workers=2))
    first, second = (
        weights(dit.train_dit(cache, encoded, tmp_path / name, recipe)) for name in "ab"
    )
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_published_parts_of_a_small_training_load(cache, encoded, eyes, tmp_path):
    """What `assemble` writes is a stock pipeline, whatever the sizes."""
    from diffusers import CogVideoXPipeline

    from mm_model.embedded.training.backbone.recipe import Recipe

    recipe = Recipe(vae=SMALL_VAE, dit=SMALL_DIT, identity=SMALL_IDENTITY)
    painter = dit.train_dit(cache, encoded, tmp_path / "dit", SMALL_DIT, 1)
    seen = identity.train_identity(cache, eyes, tmp_path / "identity", SMALL_IDENTITY, 1)
    modules = {
        "vae": loop.rounded(vae.build_vae(SMALL_VAE).eval()),
        "vision": seen.averages["vision"],
        "perceiver": seen.averages["perceiver"],
        **painter.averages,
    }
    config = identity.perceiver_config(SMALL_IDENTITY, eyes.width)
    report = {"steps": {"dit": 1}}
    folder = assemble.assemble(
        tmp_path / "b", recipe, modules, perceiver_config=config, recognizer=eyes, report=report
    )
    assert assemble.verify(folder)["report"] == report
    pipe = CogVideoXPipeline.from_pretrained(str(folder), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    assert generate(pipe, 9).shape == (9, 64, 64, 3)
    state = pipe.vae.state_dict()
    assert all(torch.equal(state[k], v) for k, v in modules["vae"].state_dict().items())
