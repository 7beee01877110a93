"""With an identity: each of CogVideoX's arguments works, or is refused in one sentence."""

import math

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, DDIMScheduler, DDPMScheduler
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback

from mm_model.diffusion.schedule import build_scheduler
from mm_model.errors import UserError
from tests.nn.pipes import PLAIN, PROMPT, clip, mirror, seeded, subject

pytestmark = pytest.mark.capability("calls with an identity", scale="T")

WOMAN = "the woman img smiles"
ALL = ["latents", "prompt_embeds", "negative_prompt_embeds"]
PIXELS = {"output_type": "pt", "num_inference_steps": 2}


@pytest.fixture(scope="module")
def pipe():
    return mirror()


@pytest.fixture(scope="module")
def identity(pipe):
    return pipe.encode_references(subject())


@pytest.fixture(scope="module")
def usual(pipe, identity):
    """The clip of the short call as it is."""
    return clip(pipe, identity=identity)


@torch.no_grad()
def encoded(pipe, negative):
    """A negative prompt, encoded by the method that diffusers documents."""
    return pipe.encode_prompt(PLAIN, negative, True, max_sequence_length=16)[1]


def near(a, b):
    return torch.allclose(a, b, atol=1e-3)


def test_prompt_embeds_give_the_prompt_s_clip_and_need_no_text_encoder(pipe, identity, usual):
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    assert embeds.shape == (1, 16, 32) and int(mask.sum()) == 4
    negative = encoded(pipe, "")
    encoder, pipe.text_encoder = pipe.text_encoder, None
    try:
        given = {"prompt_embeds": embeds, "identity_mask": mask, "identity": identity}
        made = clip(pipe, None, negative_prompt_embeds=negative, **given)
        assert torch.equal(made, usual)
        with pytest.raises(UserError, match="no text encoder"):
            clip(pipe, None, **given)
        with pytest.raises(UserError, match="no text encoder"):
            clip(pipe, identity=identity)
        assert clip(pipe, None, guidance_scale=1.0, **given).isfinite().all()
    finally:
        pipe.text_encoder = encoder
    assert torch.equal(clip(pipe, None, **given), usual)  # the empty negative prompt is encoded


def test_an_identity_that_was_kept_serves_any_prompt(pipe, identity, usual, monkeypatch):
    """Nobody is looked at again, and the pixels are those of the photographs."""
    shown = [clip(pipe, text, reference_images=subject()) for text in (PROMPT, WOMAN)]
    monkeypatch.setattr(pipe.identity_encoder, "features", None)  # looking would fail
    kept = [clip(pipe, text, identity=identity) for text in (PROMPT, WOMAN)]
    assert all(torch.equal(one, other) for one, other in zip(kept, shown, strict=True))
    assert torch.equal(kept[0], usual) and not torch.equal(kept[0], kept[1])


def test_prompt_embeds_without_the_subject_s_place_are_refused(pipe, identity):
    with pytest.raises(UserError, match="encode_identity_prompt"):
        clip(pipe, None, prompt_embeds=torch.zeros(1, 16, 32), identity=identity)
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    asked = {"prompt_embeds": embeds, "identity": identity}
    with pytest.raises(ValueError, match="do not match"):
        clip(pipe, None, identity_mask=mask.roll(1) & mask, **asked)
    with pytest.raises(UserError, match="1 texts of 16 tokens"):
        clip(pipe, None, identity_mask=mask[:, :8], **asked)
    with pytest.raises(UserError, match="reads 16 tokens"):
        pipe.encode_identity_prompt(PROMPT, identity, max_sequence_length=64)


def test_negative_prompt_embeds_are_used_as_they_are(pipe, identity):
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    negative = encoded(pipe, "red hat")
    asked = {"prompt_embeds": embeds, "identity_mask": mask, "identity": identity}
    made = clip(pipe, None, negative_prompt_embeds=negative, **asked)
    assert torch.equal(made, clip(pipe, negative_prompt="red hat", identity=identity))
    assert not torch.equal(made, clip(pipe, None, **asked))
    with pytest.raises(ValueError, match="Cannot forward both"):
        clip(pipe, negative_prompt_embeds=negative, identity=identity)
    with pytest.raises(ValueError, match="same shape"):
        clip(pipe, None, negative_prompt_embeds=negative[:, :8], **asked)


def test_each_prompt_has_its_own_negative_prompt(pipe, identity):
    negative = ["red hat", "blue park"]
    asked = {"identity": identity, "generator": [seeded(1), seeded(2)]}
    both = clip(pipe, [PROMPT, WOMAN], negative_prompt=negative, **asked)
    for row, prompt in enumerate((PROMPT, WOMAN)):
        alone = clip(
            pipe,
            prompt,
            identity=identity,
            negative_prompt=[negative[row]],
            generator=seeded(row + 1),
        )
        other = clip(pipe, prompt, identity=identity, generator=seeded(row + 1))
        assert near(both[row : row + 1], alone) and not near(both[row : row + 1], other)
    with pytest.raises(UserError, match="2 negative prompts for 1 prompts"):
        clip(pipe, negative_prompt=negative, identity=identity)


def test_several_videos_of_each_prompt_and_subject(pipe):
    people = [subject(1), subject(2, seed=8)]
    seeds = [seeded(n) for n in range(4)]
    asked = {"negative_prompt": ["red hat", "blue"], "reference_images": people}
    made = clip(pipe, [PROMPT, WOMAN], num_videos_per_prompt=2, generator=seeds, **asked)
    assert made.shape[0] == 4
    for row in range(4):
        alone = clip(
            pipe,
            (PROMPT, WOMAN)[row // 2],
            reference_images=[people[row // 2]],
            negative_prompt=("red hat", "blue")[row // 2],
            generator=seeded(row),
        )
        assert near(made[row : row + 1], alone)
    with pytest.raises(UserError, match="num_videos_per_prompt is 0"):
        clip(pipe, num_videos_per_prompt=0, **asked)
    with pytest.raises(ValueError, match="list of generators"):
        clip(pipe, [PROMPT, WOMAN], generator=seeds, **asked)


def test_several_prompts_share_one_subject_or_have_one_each(pipe, identity):
    prompts, seeds = [PROMPT, WOMAN], lambda: [seeded(1), seeded(2)]
    shared = clip(pipe, prompts, identity=identity, generator=seeds())
    assert near(shared[:1], clip(pipe, identity=identity, generator=seeded(1)))
    people = [subject(1), subject(2, seed=8)]
    each = clip(pipe, prompts, reference_images=people, generator=seeds())
    alone = clip(pipe, WOMAN, reference_images=[people[1]], generator=seeded(2))
    assert near(each[1:], alone) and not near(each, shared)
    with pytest.raises(UserError, match="2 identities for 1 prompts"):
        clip(pipe, reference_images=people)


def test_a_guidance_changed_in_a_callback_counts(pipe, identity):
    def weaker(pipe, index, t, tensors):
        pipe._guidance_scale = 2.0
        return tensors

    one = {"identity": identity, "num_inference_steps": 1}
    changed = clip(pipe, identity=identity, callback_on_step_end=weaker)
    assert not near(changed, clip(pipe, identity=identity))
    assert torch.equal(clip(pipe, callback_on_step_end=weaker, **one), clip(pipe, **one))

    def off(pipe, index, t, tensors):
        pipe._guidance_scale = 1.0
        return tensors

    def first_of(scale):
        return clip(pipe, identity=identity, guidance_scale=scale, num_inference_steps=3)

    ended = clip(pipe, identity=identity, guidance_scale=1.0001, callback_on_step_end=off)
    assert near(ended, first_of(1.0))


def test_texts_and_latents_changed_in_a_callback_count(pipe, identity, usual):
    seen = []

    def look(pipe, index, t, tensors):
        seen.append({name: x.clone() for name, x in tensors.items()})
        return tensors

    watched = {"identity": identity, "callback_on_step_end_tensor_inputs": ALL}
    assert torch.equal(clip(pipe, callback_on_step_end=look, **watched), usual)
    assert seen[0]["prompt_embeds"].shape == (2, 16, 32)
    assert torch.equal(seen[0]["prompt_embeds"][:1], seen[0]["negative_prompt_embeds"])
    assert torch.equal(seen[-1]["latents"], usual)

    def changing(name, change):
        def told(pipe, index, t, tensors):
            return {name: change(tensors[name])} if index == 0 else {}

        return clip(pipe, callback_on_step_end=told, **watched)

    for name in ALL:
        assert not near(changing(name, lambda x: x + 1), usual), name
    both = changing("prompt_embeds", lambda x: torch.cat([x[:1] + 1, x[1:]]))
    assert torch.equal(both, changing("negative_prompt_embeds", lambda x: x + 1))
    with pytest.raises(UserError, match="_guidance_scale"):
        changing("prompt_embeds", lambda x: x[-1:])
    with pytest.raises(UserError, match="face_start_step"):
        clip(pipe, face_start_step=1, callback_on_step_end=look, **watched)
    with pytest.raises(ValueError, match="callback_on_step_end_tensor_inputs"):
        clip(pipe, identity=identity, callback_on_step_end_tensor_inputs=["x_face"])


class Halving(PipelineCallback):
    tensor_inputs = ("latents",)

    def callback_fn(self, pipeline, step_index, timestep, callback_kwargs):
        return {"latents": callback_kwargs["latents"] / 2}


def test_callback_objects_of_diffusers_work(pipe, identity):
    def halve(pipe, index, t, tensors):
        return {"latents": tensors["latents"] / 2}

    by_function = clip(pipe, identity=identity, callback_on_step_end=halve)
    by_object = clip(pipe, identity=identity, callback_on_step_end=Halving())
    assert torch.equal(by_function, by_object)
    twice = MultiPipelineCallbacks([Halving(), Halving()])
    assert not near(clip(pipe, identity=identity, callback_on_step_end=twice), by_object)


def test_interrupt_ends_the_steps(pipe, identity):
    steps = []

    def stop(pipe, index, t, tensors):
        steps.append(index)
        pipe._interrupt = index == 1
        return tensors

    clip(pipe, identity=identity, num_inference_steps=5, callback_on_step_end=stop)
    assert steps == [0, 1]
    assert clip(pipe, identity=identity).isfinite().all()  # the next call is not interrupted


def test_timesteps_work_with_a_scheduler_that_takes_them(pipe, identity):
    with pytest.raises(ValueError, match="custom timestep"):
        clip(pipe, identity=identity, timesteps=[999, 500])
    before, seen = pipe.scheduler, []

    def look(pipe, index, t, tensors):
        seen.append(int(t))
        return tensors

    pipe.scheduler = DDPMScheduler.from_config(before.config)
    try:
        asked = {"timesteps": [999, 400, 3], "callback_on_step_end": look}
        made = clip(pipe, identity=identity, num_inference_steps=None, **asked)
    finally:
        pipe.scheduler = before
    assert seen == [999, 400, 3] and made.isfinite().all()


def test_eta_reaches_a_scheduler_that_has_it(pipe, identity, usual):
    assert torch.equal(clip(pipe, identity=identity, eta=0.7), usual)  # CogVideoX's own has none
    before = pipe.scheduler
    pipe.scheduler = DDIMScheduler.from_config(before.config)
    try:
        calm, noisy = (clip(pipe, identity=identity, eta=eta) for eta in (0.0, 0.7))
        again = clip(pipe, identity=identity, eta=0.7, generator=[seeded()])
    finally:
        pipe.scheduler = before
    assert near(again, noisy) and not near(noisy, calm)


def test_dynamic_guidance_is_the_stock_pipeline_s_formula(pipe, identity):
    seen = []

    def look(pipe, index, t, tensors):
        seen.append((int(t), pipe.guidance_scale))
        return tensors

    asked = {"identity": identity, "guidance_scale": 3.0}
    dynamic = clip(pipe, use_dynamic_cfg=True, callback_on_step_end=look, **asked)
    assert not near(dynamic, clip(pipe, **asked))
    for t, scale in seen:
        rise = (1 - math.cos(math.pi * ((3 - t) / 3) ** 5.0)) / 2
        assert scale == 1 + 3.0 * rise


def test_the_text_length_is_the_backbone_s_or_less(pipe, identity, usual):
    assert torch.equal(clip(pipe, identity=identity, max_sequence_length=16), usual)
    shorter = clip(pipe, identity=identity, max_sequence_length=12)
    assert shorter.isfinite().all() and not torch.equal(shorter, usual)
    with pytest.raises(UserError, match="reads 16 tokens"):
        clip(pipe, identity=identity, max_sequence_length=64)


def test_attention_kwargs_reach_the_processors_but_never_set_the_face(pipe, identity, usual):
    asked = {"identity": identity, "attention_kwargs": {"unknown to them": 1}}
    assert torch.equal(clip(pipe, **asked), usual)  # left out with a warning, as in stock
    for name in ("face_length", "ca_scale"):
        with pytest.raises(UserError, match=f"attention_kwargs holds {name}"):
            clip(pipe, identity=identity, attention_kwargs={name: 1})


def test_an_identity_is_what_encode_references_returns(pipe):
    with pytest.raises(UserError, match="identity is IdentityInput"):
        clip(pipe, identity=subject())


def test_attention_slicing_changes_nothing(pipe, identity, usual):
    pipe.enable_attention_slicing()
    assert torch.equal(clip(pipe, identity=identity), usual)


def test_no_steps_are_refused(pipe, identity):
    with pytest.raises(UserError, match="num_inference_steps is 0"):
        clip(pipe, identity=identity, num_inference_steps=0)


def test_every_output_type_shows_the_same_clip(pipe, identity):
    asked = {"identity": identity, "num_inference_steps": 1}
    tensor = clip(pipe, output_type="pt", **asked)
    assert tensor.shape == (1, 9, 3, 64, 64)
    array = clip(pipe, output_type="np", **asked)
    assert np.array_equal(array, tensor.permute(0, 1, 3, 4, 2).numpy())
    pictures = clip(pipe, output_type="pil", **asked)[0]
    shown = np.stack([np.asarray(picture) for picture in pictures])
    assert np.array_equal(shown, (array[0] * 255).round().astype(np.uint8))
    latents = clip(pipe, **asked)
    assert torch.equal(pipe.to_frames(latents, "pt"), tensor)
    with torch.no_grad():
        decoded = (pipe.decode_latents(latents)[0] / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(decoded.movedim(0, 1), tensor[0], atol=1e-4)
    both = pipe(
        PROMPT, return_dict=False, generator=seeded(), num_frames=9, output_type="pt", **asked
    )
    assert isinstance(both, tuple) and len(both) == 1 and torch.equal(both[0], tensor)
    with pytest.raises(UserError, match="choose one of pil, np, pt, latent"):
        clip(pipe, output_type="mp4", **asked)


def test_given_latents_are_the_noise(pipe, identity, usual):
    noise = torch.randn(1, 3, 8, 8, 8, generator=seeded())
    assert torch.equal(clip(pipe, identity=identity, latents=noise, generator=None), usual)
    for wrong in (noise.repeat(2, 1, 1, 1, 1), noise[:, :2], noise[..., :4]):
        with pytest.raises(UserError, match="what is asked for has"):
            clip(pipe, identity=identity, latents=wrong)


def test_given_latents_of_another_dtype_are_cast():
    pipe = mirror().to(torch.bfloat16)
    noise = torch.randn(1, 3, 8, 8, 8, generator=seeded()).bfloat16()
    asked = {"reference_images": subject(), "generator": None}
    expected = clip(pipe, latents=noise, **asked)
    assert torch.equal(clip(pipe, latents=noise.float(), **asked), expected)


def test_a_swapped_scheduler_samples_with_the_identity(pipe, identity, usual):
    pipe.scheduler = CogVideoXDPMScheduler.from_config(pipe.scheduler.config)
    try:
        solved = clip(pipe, identity=identity)
        other = clip(pipe, reference_images=subject(seed=5))
        built = clip(mirror("dpm"), reference_images=subject())
    finally:
        pipe.scheduler = build_scheduler()
    assert torch.equal(solved, built) and not near(solved, usual) and not near(solved, other)


def test_a_vae_that_saves_memory_shows_the_same_clip(pipe, identity):
    usual = [clip(pipe, identity=identity, num_frames=n, **PIXELS) for n in (1, 9)]
    pipe.vae.enable_slicing()
    try:
        sliced = [clip(pipe, identity=identity, num_frames=n, **PIXELS) for n in (1, 9)]
        pipe.vae.enable_tiling()
        tiled = clip(pipe, identity=identity, **PIXELS)
    finally:
        pipe.vae.disable_slicing(), pipe.vae.disable_tiling()
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(usual, sliced, strict=True))
    assert tiled.shape[:3] == usual[1].shape[:3] and tiled.isfinite().all()


def test_the_progress_bar_counts_the_steps(pipe, identity, capfd):
    pipe.set_progress_bar_config(desc="steps")
    try:
        clip(pipe, identity=identity)
    finally:
        pipe.set_progress_bar_config(disable=True)
    assert "3/3" in capfd.readouterr().err
