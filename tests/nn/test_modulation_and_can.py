"""CAN and modulation: chunk order, what CAN is given, tables against the direct path."""

import pytest
import torch

from tests.nn import tiny

STREAMS = {  # slice of the 12 chunks -> (stream, sub-layer)
    "vid1": (0, 1, 2),
    "txt1": (3, 4, 5),
    "vid2": (6, 7, 8),
    "txt2": (9, 10, 11),
}


def block_inputs():
    g = torch.Generator().manual_seed(0)
    video, text, face = (torch.randn(2, n, 64, generator=g) for n in (12, 6, 4))
    return video, torch.cat([face, text], 1), torch.randn(2, 32, generator=g)


@pytest.mark.capability("CAN", scale="T")
@pytest.mark.parametrize("chunk", range(12))
def test_one_bias_slice_moves_one_modulation_chunk_only(chunk):
    model, adapter = tiny.with_adapter()
    block, can = model.transformer_blocks[0], adapter.layers["0"].can
    temb, code = block_inputs()[2], torch.randn(2, can.fc1.in_features - 32 - 64)
    before = block.modulation(temb, code).base
    can.fc2.bias.data[chunk * 64 : (chunk + 1) * 64] += 1.0
    change = (block.modulation(temb, code).base - before).detach().view(2, 12, 64)
    moved = [i for i in range(12) if change[:, i].abs().max() > 1e-6]
    assert moved == [chunk]
    norm = block.norm1 if chunk < 6 else block.norm2
    base = norm.linear(norm.silu(temb)).chunk(6, dim=1)[chunk % 6]
    assert torch.allclose(before.chunk(12, dim=1)[chunk], base)


def test_text_gate_of_the_second_norm_alters_only_the_text_stream():
    model, adapter = tiny.with_adapter()
    block, can = model.transformer_blocks[0], adapter.layers["0"].can
    video, encoder, temb = block_inputs()
    code = torch.zeros(2, can.fc1.in_features - 32 - 64)
    with torch.no_grad():
        video_before, encoder_before = block(video, encoder, temb, None, None, 4, code)
        can.fc2.bias[11 * 64 :] += 1.0
        video_after, encoder_after = block(video, encoder, temb, None, None, 4, code)
    assert torch.equal(video_before, video_after)
    assert torch.equal(encoder_before[:, :4], encoder_after[:, :4])
    assert not torch.allclose(encoder_before[:, 4:], encoder_after[:, 4:])


def test_shift_of_minus_phi_gives_the_unmodulated_block():
    model, adapter = tiny.with_adapter()
    block, can = model.transformer_blocks[0], adapter.layers["0"].can
    video, encoder, temb = block_inputs()
    temb = temb[:1]
    code = torch.zeros(1, can.fc1.in_features - 32 - 64)
    with torch.no_grad():
        can.fc2.bias.copy_(-block.modulation(temb).base[0])
        out_video, out = block(video[:1], encoder[:1], temb, None, None, 4, code)
    # all gates are zero then: both streams pass as they came
    assert torch.allclose(out_video, video[:1], atol=1e-5)
    assert torch.allclose(out, encoder[:1], atol=1e-5)


@pytest.mark.capability("CAN", scale="T")
def test_can_is_given_chunk_zero_of_norm1_of_its_own_layer():
    model, adapter = tiny.with_adapter()
    seen = {}
    for index, layer in adapter.layers.items():
        layer.can.register_forward_pre_hook(lambda _, args, index=index: seen.update({index: args}))
    condition = adapter.encode_identity(tiny.features())
    inputs = tiny.inputs()
    model(**inputs, **condition.transformer_inputs())
    temb = model.time_embed(inputs["timestep"], None, torch.float32)
    assert set(seen) == {"0", "2"}
    for index, (code, given_temb, mu1) in seen.items():
        norm = model.transformer_blocks[int(index)].norm1
        shift = norm.linear(norm.silu(temb)).chunk(6, dim=1)[0]
        assert torch.equal(mu1, shift)
        assert torch.equal(given_temb, temb)
        assert torch.equal(code, condition.id_code)


@pytest.mark.capability("modulation tables", scale="T")
@pytest.mark.parametrize("with_identity", [True, False])
def test_tables_equal_the_direct_path(with_identity):
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    inputs = tiny.inputs()
    identity = {}
    if with_identity:
        identity = adapter.encode_identity(tiny.features()).transformer_inputs()
    timesteps = torch.tensor([999, 700, 20])
    table = model.modulation_table(timesteps, identity.get("id_code"), can_scale=0.8)
    with torch.no_grad():
        for index, t in enumerate(timesteps):
            inputs["timestep"] = t.expand(2)
            direct = model(**inputs, **identity, can_scale=0.8).sample
            tabled = model(**inputs, **identity, can_scale=0.8, modulation=table.step(index)).sample
            assert torch.allclose(direct, tabled, atol=2e-5)
    assert table.nbytes() > 0


@pytest.mark.capability("modulation tables", scale="T")
def test_sampling_with_a_table_never_runs_the_modulation_layers():
    model, adapter = tiny.with_adapter()
    identity = adapter.encode_identity(tiny.features()).transformer_inputs()
    inputs = tiny.inputs(batch=2)
    inputs["timestep"] = torch.tensor([700, 700])
    table = model.modulation_table(torch.tensor([700]), identity["id_code"])

    def fail(*_):
        raise AssertionError("a modulation layer ran")

    for block in model.transformer_blocks:
        block.norm1.linear.register_forward_hook(fail)
        block.norm2.linear.register_forward_hook(fail)
    for layer in adapter.layers.values():
        layer.can.register_forward_hook(fail)
        layer.face_mod.register_forward_hook(fail)
    with torch.no_grad():
        assert model(**inputs, **identity, modulation=table.step(0)).sample.isfinite().all()
        with pytest.raises(AssertionError):
            model(**inputs, **identity)


def test_cache_hooks_find_every_block():
    from diffusers import FirstBlockCacheConfig

    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    identity = adapter.encode_identity(tiny.features()).transformer_inputs()
    inputs = tiny.inputs()
    with torch.no_grad():
        plain = model(**inputs, **identity).sample
        model.enable_cache(FirstBlockCacheConfig(threshold=0.0))
        hooked = [m for m in model.modules() if hasattr(m, "_diffusers_hook")]
        with model.cache_context("cond_uncond"):
            cached = model(**inputs, **identity).sample
    blocks = [m for m in hooked if type(m).__name__ == "MagicMirrorBlock"]
    assert len(blocks) == len(model.transformer_blocks)
    assert torch.allclose(plain, cached, atol=1e-6)
