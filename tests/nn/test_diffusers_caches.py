"""FasterCache, PyramidAttentionBroadcast and FirstBlockCache beside an identity."""

import pytest
import torch
from diffusers import FasterCacheConfig, FirstBlockCacheConfig, PyramidAttentionBroadcastConfig
from diffusers.hooks import MagCacheConfig, apply_faster_cache

from mm_model.errors import UserError
from tests.nn.pipes import PLAIN, clip, mirror, plain, stock, subject

pytestmark = pytest.mark.capability("caches", scale="T")

STEPS = {"num_inference_steps": 6}
WHOLE = (-1, 1000)


def broadcast(pipe):
    return PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=WHOLE,
        current_timestep_callback=lambda: pipe.current_timestep,
    )


def faster(pipe, skipped=WHOLE, **changes):
    return FasterCacheConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=skipped,
        unconditional_batch_skip_range=2,
        unconditional_batch_timestep_skip_range=WHOLE,
        low_frequency_weight_update_timestep_range=(99, 641),
        high_frequency_weight_update_timestep_range=(-1, 301),
        current_timestep_callback=lambda: pipe.current_timestep,
        attention_weight_callback=lambda _: 0.3,
        tensor_format="BFCHW",
        **changes,
    )


def first_block(pipe):
    return FirstBlockCacheConfig(threshold=0.5)


CACHES = {"broadcast": broadcast, "faster": faster, "first block": first_block}
WORKS = [
    *(("broadcast", mode) for mode in ("null", "split")),
    *(("faster", mode) for mode in ("null", "keep")),
    *(("first block", mode) for mode in ("keep", "base", "split")),
]


@pytest.fixture(scope="module")
def pipe():
    return mirror()


@pytest.fixture
def cached(pipe):
    def switch_on(name, **changes):
        pipe.transformer.enable_cache(CACHES[name](pipe, **changes))

    yield switch_on
    if pipe.transformer.is_cache_enabled:
        pipe.transformer.disable_cache()


@pytest.mark.parametrize("name", CACHES)
def test_without_identity_a_cache_does_what_it_does_in_stock(name):
    ours, theirs = plain(), stock()
    usual = clip(theirs, PLAIN, **STEPS)
    for one in (ours, theirs):
        one.transformer.enable_cache(CACHES[name](one))
    cached = clip(theirs, PLAIN, **STEPS)
    assert torch.equal(clip(ours, PLAIN, **STEPS), cached)
    assert not torch.equal(cached, usual)


@pytest.mark.parametrize(("name", "mode"), WORKS)
def test_a_cache_keeps_the_identity(pipe, cached, name, mode):
    """Cached clips lie near the uncached ones: nearer than another person's, or nobody's."""
    asked = {"face_guidance": mode, **STEPS}
    person, other = (pipe.encode_references(subject(seed=n)) for n in (0, 5))
    exact, nobody = clip(pipe, identity=person, **asked), clip(pipe, **STEPS)
    apart = (clip(pipe, identity=other, **asked) - exact).abs().mean()
    cached(name)
    made = clip(pipe, identity=person, **asked)
    error = (made - exact).abs().mean()
    assert 0 < error < 0.8 * (nobody - exact).abs().mean()
    kept = (clip(pipe, identity=other, **asked) - made).abs().mean()
    assert 0.5 * apart < kept < 2 * apart
    assert torch.equal(clip(pipe, identity=person, **asked), made)  # nothing is left behind
    pipe.transformer.disable_cache()
    assert torch.equal(clip(pipe, identity=person, **asked), exact)


@pytest.mark.parametrize(
    ("name", "asked", "hint"),
    [
        ("broadcast", {"face_guidance": "base"}, "choose null, keep or split"),
        ("faster", {"face_guidance": "base"}, "choose null, keep or split"),
        ("faster", {"face_guidance": "split"}, "null or keep"),
        ("faster", {"guidance_scale": 1.0}, "guidance_scale above 1"),
        ("broadcast", {"face_start_step": 2}, "face_start_step=2"),
        ("faster", {"face_start_step": 2}, "face_start_step=2"),
    ],
)
def test_what_a_cache_would_mix_is_refused(pipe, cached, name, asked, hint):
    cached(name)
    with pytest.raises(UserError, match=hint):
        clip(pipe, reference_images=subject(), **asked)


def test_a_distilled_faster_cache_needs_no_second_branch(pipe, cached):
    cached("faster", skipped=(-1, 700), is_guidance_distilled=True)
    for asked in ({"guidance_scale": 1.0}, {"face_guidance": "split"}):
        assert clip(pipe, reference_images=subject(), **asked, **STEPS).isfinite().all()


def test_a_cache_put_on_by_its_function_is_seen_too():
    one = mirror()
    apply_faster_cache(one.transformer, faster(one))
    assert clip(one, reference_images=subject(), **STEPS).isfinite().all()
    with pytest.raises(UserError, match="null or keep"):
        clip(one, reference_images=subject(), face_guidance="split", **STEPS)


def test_the_first_block_s_memory_is_apart_for_steps_before_the_identity(pipe, cached):
    asked = {"reference_images": subject(), "face_guidance": "base", **STEPS}
    exact = clip(pipe, face_start_step=2, **asked)
    cached("first block")
    made = clip(pipe, face_start_step=2, **asked)
    assert (made - exact).abs().mean() < 0.8 * (clip(pipe, **STEPS) - exact).abs().mean()


def test_a_call_that_breaks_off_leaves_no_memory_behind(pipe, cached):
    cached("broadcast")
    person, other = (pipe.encode_references(subject(seed=n)) for n in (0, 5))
    expected = clip(pipe, identity=person, **STEPS)

    def fail(pipe, index, t, tensors):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        clip(pipe, identity=other, callback_on_step_end=fail, **STEPS)
    assert torch.equal(clip(pipe, identity=person, **STEPS), expected)


def test_a_cache_that_was_not_tried_is_refused_with_an_identity_only():
    one, base = mirror(), stock()
    for pipe in (one, base):
        pipe.transformer.enable_cache(
            MagCacheConfig(num_inference_steps=6, mag_ratios=torch.ones(6))
        )
    with pytest.raises(UserError, match="mag_cache"):
        clip(one, reference_images=subject(), **STEPS)
    assert torch.equal(clip(one, **STEPS), clip(base, PLAIN, **STEPS))
