"""The tiny backbone as it is shipped: its folder, its words, its pixels."""

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
    pixels,
    portraits,
    render,
    text,
    vae,
)
from mm_model.errors import UserError
from mm_model.nn.cogvideox import folded_vae

pytestmark = pytest.mark.usefixtures("one_thread")

LENGTH = 32
CAPTIONS = [caption(people.person(seed), name) for seed in range(7) for name in (*ACTIONS, *STILLS)]


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
