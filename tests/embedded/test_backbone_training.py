"""The resumable training that made the tiny backbone, on networks smaller still."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mm_model.embedded.people import split
from mm_model.embedded.training.backbone import (
    assemble,
    decoder,
    dit,
    identity,
    latents,
    loop,
    render,
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
from tests.embedded.test_backbone import generate

pytestmark = pytest.mark.usefixtures("one_thread")


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
