"""A transformer that goes from stock to ours and back brings what was set on it, or says so."""

import pytest
import torch
from diffusers import CogVideoXPipeline, PyramidAttentionBroadcastConfig
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0

from mm_model.errors import UserError
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.nn.magic_mirror.attention import MagicMirrorAttnProcessor
from tests.nn import tiny
from tests.nn.pipes import PLAIN, clip, parts, plain, stock


class Doubled:
    """Somebody's own processor: CogVideoX's, whose result counts twice."""

    def __call__(
        self, attn, hidden_states, encoder_hidden_states, attention_mask=None, image_rotary_emb=None
    ):
        video, text = CogVideoXAttnProcessor2_0()(
            attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb
        )
        return 2 * video, 2 * text


def silent(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_another_attention_processor_comes_along_both_ways():
    base = stock()
    usual = clip(base, PLAIN)
    base.transformer.set_attn_processor(Doubled())
    expected = clip(base, PLAIN)
    ours = silent(MagicMirrorPipeline(**base.components))
    assert torch.equal(clip(ours, PLAIN), expected) and not torch.equal(expected, usual)
    given = base.components | {"transformer": ours.transformer.to_base()}
    back = silent(CogVideoXPipeline(**given))
    assert torch.equal(clip(back, PLAIN), expected)
    with pytest.raises(UserError, match="Doubled, which would drop the attention to the face"):
        _, adapter = tiny.with_adapter()
        ours.transformer.attach_adapter(adapter)


def test_usual_processors_become_ours_and_keep_their_backend():
    base = stock()
    ours = MagicMirrorPipeline(**base.components)
    for block in ours.transformer.transformer_blocks:
        assert isinstance(block.attn1.processor, MagicMirrorAttnProcessor)
        block.attn1.processor._attention_backend = "native"
    again = type(ours.transformer).from_base(ours.transformer)
    assert {b.attn1.processor._attention_backend for b in again.transformer_blocks} == {"native"}


def test_gradient_checkpointing_comes_along_both_ways():
    given = parts()
    given["transformer"].enable_gradient_checkpointing()
    ours = MagicMirrorPipeline(**given).transformer
    assert ours.gradient_checkpointing and ours.to_base().gradient_checkpointing
    assert ours._gradient_checkpointing_func is given["transformer"]._gradient_checkpointing_func
    assert not plain().transformer.gradient_checkpointing


@pytest.mark.parametrize("change", ["cache", "casting"])
def test_a_hook_that_would_stay_behind_is_refused_by_name(change):
    base = stock()
    if change == "cache":
        base.transformer.enable_cache(
            PyramidAttentionBroadcastConfig(
                spatial_attention_block_skip_range=2,
                current_timestep_callback=lambda: base.current_timestep,
            )
        )
    else:
        base.transformer.enable_layerwise_casting(torch.float8_e4m3fn, torch.float32)
    for take_over in (
        lambda: MagicMirrorPipeline(**base.components),
        lambda: MagicMirrorPipeline.from_pipe(base),
    ):
        with pytest.raises(UserError, match=r"carries the hook .*, which would not come along"):
            take_over()
    if change == "cache":
        base.transformer.disable_cache()
        MagicMirrorPipeline(**base.components)


def test_fused_projections_are_undone_before_weights_are_shared(tmp_path):
    base = stock()
    usual = clip(base, PLAIN)
    base.fuse_qkv_projections()
    with pytest.raises(UserError, match=r"call unfuse_qkv_projections\(\) first"):
        MagicMirrorPipeline(**base.components)
    base.unfuse_qkv_projections()
    ours = silent(MagicMirrorPipeline(**base.components))
    assert torch.equal(clip(ours, PLAIN), usual)
    ours.fuse_qkv_projections()
    with pytest.raises(UserError, match=r"call unfuse_qkv_projections\(\) first"):
        ours.save_pretrained(tmp_path / "fused")
    ours.unfuse_qkv_projections()
    ours.save_pretrained(tmp_path / "whole")
    opened = silent(MagicMirrorPipeline.from_pretrained(tmp_path / "whole"))
    assert torch.equal(clip(opened, PLAIN), usual)
