"""The pipeline at the tiny size: base equality, guidance modes, identity, seeds, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.diffusion.schedule import build_scheduler
from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.generation.references import IdentityInput, prepare_references
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from tests.nn import tiny

PROMPT = "a man img walks"
CALL = {"num_frames": 9, "num_inference_steps": 3, "output_type": "latent"}


PICTURE = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
FACE = Face(
    np.array([60, 10, 100, 60], np.float32),
    0.9,
    np.array([[70, 30], [90, 30], [80, 40], [72, 50], [88, 50]], np.float32),
)


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def references(count=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    return IdentityInput(
        torch.randn(count, 3, 28, 28, generator=g), torch.rand(count, 3, 112, 112, generator=g)
    )


def parts(kind="ddim"):
    return {
        "tokenizer": tiny.tokenizer(),
        "text_encoder": tiny.text_encoder(),
        "vae": tiny.vae(),
        "scheduler": build_scheduler(kind),
    }


@pytest.fixture(scope="module")
def pipe():
    from mm_model.generation.pipeline import MagicMirrorPipeline

    encoder, transformer = tiny.identity_encoder(), tiny.transformer()
    config = adapter_config(
        "tiny",
        transformer.config,
        encoder.clip_dim,
        encoder.id_dim,
        recognizer_sha256=encoder.recognizer_sha256,
    )
    adapter = MagicMirrorAdapter.create(transformer, config)
    tiny.shake(adapter, scale=0.05)
    made = MagicMirrorPipeline(
        **parts(), transformer=transformer, identity_encoder=encoder, adapter=adapter.eval()
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def identity(pipe):
    return pipe.encode_references(references())


def stock(kind="ddim"):
    from diffusers import CogVideoXPipeline

    base = CogVideoXPipeline(**parts(kind), transformer=tiny.base_transformer())
    base.set_progress_bar_config(disable=True)
    return base


@pytest.mark.parametrize("extra", [{}, {"id_scale": 0.0}])
def test_without_identity_the_stock_pipeline_s_latents_come_out(pipe, identity, extra):
    if extra:
        extra = extra | {"identity": identity}
    ours = pipe(PROMPT, generator=seeded(), **CALL, **extra).frames
    theirs = stock()("a man walks", generator=seeded(), **CALL).frames
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, pipe(PROMPT, identity=identity, generator=seeded(), **CALL).frames)


def test_same_seed_same_bits_and_the_global_state_is_left_alone(pipe, identity):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = pipe(PROMPT, identity=identity, generator=seeded(), **CALL).frames
    second = pipe(PROMPT, identity=identity, generator=seeded(), **CALL).frames
    other = pipe(PROMPT, identity=identity, generator=seeded(4), **CALL).frames
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_references_and_a_cached_identity_give_the_same_clip(pipe, identity):
    direct = pipe(PROMPT, reference_images=references(), generator=seeded(), **CALL).frames
    cached = pipe(PROMPT, identity=identity, generator=seeded(), **CALL).frames
    assert torch.equal(direct, cached)
    other = pipe(PROMPT, reference_images=references(seed=9), generator=seeded(), **CALL).frames
    assert not torch.equal(direct, other)


def test_the_portrait_is_cut_by_the_adapter_s_margin_whoever_finds_the_face(pipe):
    """A picture, its face by name or by a detector, alone or nested: one identity."""
    given = pipe.encode_references([PICTURE], faces=[FACE])
    found = pipe.encode_references(PICTURE, detect=lambda _: FACE)
    single = pipe.encode_references(Image.fromarray(PICTURE), faces=FACE)
    nested = pipe.encode_references([[PICTURE], [PICTURE]], faces=[[FACE], [FACE]])
    for other in (found, single):
        assert torch.equal(given.x_id, other.x_id) and torch.equal(given.x_face, other.x_face)
    assert torch.allclose(nested.x_face[1], given.x_face[0], atol=1e-5)
    config = pipe.adapter.config
    try:
        pipe.adapter.config = replace(config, reference_margin=1.6)
        cut = pipe.encode_references([PICTURE], faces=[FACE])
    finally:
        pipe.adapter.config = config
    by_hand = prepare_references([PICTURE], [FACE], 1.6, pipe.identity_encoder.image_size)
    assert not torch.equal(cut.x_face, given.x_face)
    assert torch.equal(cut.x_face, pipe.encode_references(by_hand).x_face)


@pytest.mark.capability("guidance modes", scale="T")
def test_split_with_equal_weights_equals_null(pipe, identity):
    call = {"identity": identity, **CALL}
    null = pipe(PROMPT, generator=seeded(), **call).frames
    split = pipe(PROMPT, generator=seeded(), face_guidance="split", **call).frames
    assert torch.allclose(null, split, atol=1e-3)
    apart = pipe(
        PROMPT, generator=seeded(), face_guidance="split", id_guidance_scale=1.0, **call
    ).frames
    assert not torch.allclose(null, apart, atol=1e-3)


@pytest.mark.capability("guidance modes", scale="T")
def test_split_weighs_text_and_identity_apart(identity):
    from mm_model.generation.guidance import Texts, combine, plan_branches

    texts = Texts(*torch.randn(3, 1, 16, 32, generator=seeded()))
    null = replace(identity, x_face=torch.zeros_like(identity.x_face))
    first, second, last = plan_branches("split", True, texts, identity, null)
    assert first.text is texts.negative and second.text is texts.plain and last.text is texts.fused
    assert first.condition is second.condition is null and last.condition is identity
    nothing, text, full = torch.randn(3, 1, 2, generator=seeded())
    expected = nothing + 6 * (text - nothing) + 2 * (full - text)
    assert torch.allclose(combine([nothing, text, full], 6.0, 2.0), expected, atol=1e-5)


@pytest.mark.capability("guidance modes", scale="T")
def test_guidance_of_one_is_the_conditional_branch_in_every_mode(pipe, identity):
    call = {"identity": identity, "guidance_scale": 1.0, **CALL}
    outs = [
        pipe(PROMPT, generator=seeded(), face_guidance=mode, **call).frames
        for mode in ("null", "keep", "base", "split")
    ]
    assert all(torch.equal(outs[0], out) for out in outs[1:])


@pytest.mark.capability("guidance modes", scale="T")
def test_keep_with_the_same_text_twice_equals_the_conditional_branch(pipe, identity):
    from mm_model.generation.guidance import Branch, Texts, combine, plan_branches

    text = torch.randn(1, 16, 32)
    branches = plan_branches("keep", True, Texts(text, text, text), identity, None)
    assert len(branches) == 2
    v = torch.randn(1, 2)
    assert all(isinstance(b, Branch) and b.condition is identity for b in branches)
    assert torch.equal(combine([v, v], 6.0), v)


@pytest.mark.capability("guidance modes", scale="T")
def test_the_nulls_are_really_used(pipe, identity):
    call = {"identity": identity, **CALL}
    modes = ("null", "keep", "base")
    before = {m: pipe(PROMPT, generator=seeded(), face_guidance=m, **call).frames for m in modes}
    saved = pipe.adapter.null_face.data.clone()
    pipe.adapter.null_face.data += 1.0
    after = {m: pipe(PROMPT, generator=seeded(), face_guidance=m, **call).frames for m in modes}
    pipe.adapter.null_face.data = saved
    changed = {m: not torch.equal(before[m], after[m]) for m in modes}
    assert changed == {"null": True, "keep": False, "base": False}


@pytest.mark.capability("modulation tables", scale="T")
@pytest.mark.parametrize("id_scale", [1.0, 0.4])
def test_tables_and_the_direct_path_agree(pipe, identity, id_scale):
    scales = {"id_scale": id_scale, "can_scale": 0.7, "ca_scale": 0.5}
    call = {"identity": identity, **scales, **CALL}
    tabled = pipe(PROMPT, generator=seeded(), **call).frames
    pipe.modulation_tables = False
    direct = pipe(PROMPT, generator=seeded(), **call).frames
    pipe.modulation_tables = True
    assert torch.allclose(tabled, direct, atol=1e-3)


def test_half_an_identity_is_half_of_it_in_the_text(pipe, identity):
    plain, mask = pipe.encode_identity_prompt(PROMPT, identity)

    def told(scale):
        seen = []

        def note(_pipe, _index, _timestep, tensors):
            seen.append(tensors["prompt_embeds"][-1:])
            return {}

        pipe(
            PROMPT,
            identity=identity,
            id_scale=scale,
            callback_on_step_end=note,
            callback_on_step_end_tensor_inputs=["prompt_embeds"],
            generator=seeded(),
            **CALL,
        )
        return seen[0] - plain

    half, whole = told(0.5), told(1.0)
    assert whole[mask].abs().max() > 1e-2
    assert not whole[~mask].any()
    assert torch.allclose(half, whole / 2, atol=1e-5)


def test_identity_may_enter_late(pipe, identity):
    call = {"identity": identity, **CALL}
    never = pipe(PROMPT, generator=seeded(), face_start_step=3, **call).frames
    late = pipe(PROMPT, generator=seeded(), face_start_step=1, **call).frames
    always = pipe(PROMPT, generator=seeded(), **call).frames
    assert not torch.equal(never, late)
    assert not torch.equal(late, always)
    other = pipe.encode_references(references(seed=5))
    call["identity"] = other
    assert torch.equal(pipe(PROMPT, generator=seeded(), face_start_step=3, **call).frames, never)


def test_callback_sees_every_step_and_may_change_latents(pipe, identity):
    steps = []

    def note(_pipe, index, timestep, tensors):
        steps.append((index, int(timestep)))
        return {"latents": torch.zeros_like(tensors["latents"])} if index == 2 else {}

    out = pipe(PROMPT, identity=identity, callback_on_step_end=note, generator=seeded(), **CALL)
    reference = build_scheduler()
    reference.set_timesteps(3)
    assert steps == list(enumerate(reference.timesteps.tolist()))
    assert out.frames.abs().max() == 0


def test_several_prompts_with_one_or_several_identities(pipe, identity):
    prompts = [PROMPT, "the woman img smiles"]
    generators = [seeded(1), seeded(2)]
    shared = pipe(prompts, identity=identity, generator=generators, **CALL).frames
    single = pipe(PROMPT, identity=identity, generator=seeded(1), **CALL).frames
    assert shared.shape == (2, 3, 8, 8, 8)
    assert torch.allclose(shared[:1], single, atol=1e-3)
    pair = [references(1), references(2, seed=8)]
    both = pipe(prompts, reference_images=pair, generator=[seeded(1), seeded(2)], **CALL).frames
    alone = pipe(prompts[1], reference_images=[pair[1]], generator=seeded(2), **CALL).frames
    assert torch.allclose(both[1:], alone, atol=1e-3)


@pytest.mark.parametrize("frames", [1, 9])
def test_pictures_have_the_asked_size(pipe, frames):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))
    points = np.array([[25, 30], [55, 30], [40, 45], [30, 60], [50, 60]], np.float32)
    out = pipe(
        PROMPT,
        reference_images=[picture],
        faces=[Face(np.array([10, 10, 70, 75], np.float32), 0.9, points)],
        num_frames=frames,
        height=64,
        width=96,
        num_inference_steps=1,
        generator=seeded(),
    ).frames
    assert len(out[0]) == frames
    assert out[0][0].size == (96, 64)


def test_dpm_scheduler_runs_and_equals_stock_without_identity():
    from mm_model.generation.pipeline import MagicMirrorPipeline

    transformer, adapter = tiny.with_adapter()
    made = MagicMirrorPipeline(
        **parts("dpm"),
        transformer=transformer,
        identity_encoder=tiny.identity_encoder(),
        adapter=adapter,
    )
    made.set_progress_bar_config(disable=True)
    ours = made(PROMPT, generator=seeded(), **CALL).frames
    theirs = stock("dpm")("a man walks", generator=seeded(), **CALL).frames
    assert torch.equal(ours, theirs)
    assert (
        made(PROMPT, reference_images=references(), generator=seeded(), **CALL)
        .frames.isfinite()
        .all()
    )


def test_noise_prior_of_zero_is_the_plain_run_and_more_changes_it(pipe):
    plain = pipe(PROMPT, generator=seeded(), **CALL).frames
    zero = pipe(PROMPT, generator=seeded(), noise_prior_gamma=0.0, **CALL).frames
    some = pipe(PROMPT, generator=seeded(), noise_prior_gamma=0.3, **CALL).frames
    assert torch.equal(plain, zero)
    assert not torch.equal(plain, some)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"num_frames": 8}, "8k"),
        ({"num_frames": 17}, "maximum of 9"),
        ({"height": 60}, "multiples of 16"),
        ({"width": -64}, "width is -64"),
        ({"face_guidance": "both"}, "face_guidance"),
        ({"id_guidance_scale": 3.0}, "split"),
        ({"prompt": "a red hat"}, "no subject"),
        ({"noise_prior_gamma": 2.0}, "noise_prior_gamma"),
        ({"identity": None, "reference_images": []}, "No reference picture"),
        ({"identity": None, "reference_images": [PICTURE]}, "pass faces or a detector"),
        ({"identity": None, "reference_images": PICTURE}, "pass faces or a detector"),
        ({"identity": None, "reference_images": [[PICTURE], [PICTURE]]}, "pass faces"),
        ({"identity": None, "reference_images": [PICTURE], "detect": lambda _: None}, "No face"),
        ({"identity": None, "reference_images": [PICTURE], "faces": [FACE, FACE]}, "faces for 2"),
    ],
)
def test_impossible_requests_are_refused_with_a_sentence(pipe, identity, changes, hint):
    call = {"prompt": PROMPT, "identity": identity, "generator": seeded(), **CALL} | changes
    with pytest.raises(UserError, match=hint):
        pipe(**call)


def test_folder_round_trip_and_unloading(pipe, identity, tmp_path):
    from mm_model.generation.pipeline import MagicMirrorPipeline

    stock().save_pretrained(tmp_path / "base")
    pipe.identity_encoder.save_pretrained(tmp_path / "base" / "identity_encoder")
    pipe.save_adapter(tmp_path / "adapter")
    loaded = MagicMirrorPipeline.from_pretrained(tmp_path / "base", adapter=tmp_path / "adapter")
    loaded.set_progress_bar_config(disable=True)
    ours = loaded(PROMPT, reference_images=references(), generator=seeded(), **CALL).frames
    assert torch.equal(ours, pipe(PROMPT, identity=identity, generator=seeded(), **CALL).frames)
    plain = pipe(PROMPT, generator=seeded(), **CALL).frames
    loaded.unload_adapter()
    assert torch.equal(loaded("a man walks", generator=seeded(), **CALL).frames, plain)
    with pytest.raises(UserError, match="No adapter"):
        loaded(PROMPT, reference_images=references(), generator=seeded(), **CALL)
    loaded.load_adapter(tmp_path / "adapter")
    again = loaded(PROMPT, reference_images=references(), generator=seeded(), **CALL).frames
    assert torch.equal(again, ours)


def test_an_adapter_of_another_recogniser_is_refused(pipe, tmp_path):
    from mm_model.generation.pipeline import MagicMirrorPipeline

    pipe.save_adapter(tmp_path)
    other = MagicMirrorPipeline(
        **parts(), transformer=tiny.transformer(), identity_encoder=tiny.identity_encoder(1)
    )
    with pytest.raises(UserError, match="recogniser"):
        other.load_adapter(tmp_path)
