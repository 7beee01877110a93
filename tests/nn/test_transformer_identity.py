"""The transformer with and without identity: base equality, attention modes, who sees the face."""

import pytest
import torch

from mm_model.errors import UserError
from tests.nn import tiny


def run(model, inputs, condition=None, **kwargs):
    with torch.no_grad():
        identity = condition.transformer_inputs() if condition is not None else {}
        return model(**inputs, **identity, **kwargs).sample


def condition_of(adapter, seed=0, batch=2):
    with torch.no_grad():
        return adapter.encode_identity(tiny.features(batch=batch, seed=seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("frames", [1, 3])
def test_without_identity_the_base_is_bit_identical(dtype, frames):
    base = tiny.base_transformer().to(dtype)
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    model.to(dtype)
    inputs = tiny.inputs(frames=frames)
    for name in ("hidden_states", "encoder_hidden_states"):
        inputs[name] = inputs[name].to(dtype)
    with torch.no_grad():
        expected = base(**inputs).sample
    assert torch.equal(run(model, inputs), expected)
    condition = condition_of(adapter.float()).to("cpu", dtype)
    adapter.to(dtype)
    assert torch.equal(run(model, inputs, condition, id_scale=0.0), expected)
    assert not torch.equal(run(model, inputs, condition), expected)


def test_a_part_of_the_identity_is_that_part_of_cross_attention_and_shifts():
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    inputs, condition = tiny.inputs(), condition_of(adapter)
    half = run(model, inputs, condition, id_scale=0.5, can_scale=0.6, ca_scale=0.8)
    for can, ca, same in ((0.3, 0.4, True), (0.6, 0.4, False), (0.3, 0.8, False)):
        other = run(model, inputs, condition, can_scale=can, ca_scale=ca)
        assert torch.allclose(half, other, atol=1e-5) is same


@pytest.mark.parametrize("mode", ["asymmetric", "gated_joint"])
@pytest.mark.parametrize("out_proj", ["shared", "own"])
def test_fresh_exact_modes_equal_the_base(mode, out_proj):
    model, adapter = tiny.with_adapter(attention_mode=mode, ca_out_proj=out_proj)
    inputs = tiny.inputs()
    with torch.no_grad():
        expected = tiny.base_transformer()(**inputs).sample
    assert torch.equal(run(model, inputs, condition_of(adapter)), expected)


def test_fresh_joint_mode_stays_near_the_base_but_differs():
    model, adapter = tiny.with_adapter(attention_mode="joint")
    inputs = tiny.inputs()
    base = run(model, inputs)
    out = run(model, inputs, condition_of(adapter))
    change = (out - base).norm() / base.norm()
    assert 1e-5 < change < 0.2


def test_gate_of_one_is_joint_attention_and_its_gradient_at_zero_is_alive():
    gated, gated_adapter = tiny.with_adapter(attention_mode="gated_joint")
    joint, joint_adapter = tiny.with_adapter(attention_mode="joint")
    inputs = tiny.inputs()
    out = gated(**inputs, **condition_of(gated_adapter).transformer_inputs()).sample
    out.square().sum().backward()
    gates = [layer.face_gate for layer in gated_adapter.layers.values()]
    assert all(gate.item() == 0.0 and gate.grad.abs().item() > 0 for gate in gates)
    for gate in gates:
        gate.data.fill_(1.0)
    for adapter in (gated_adapter, joint_adapter):
        for layer in adapter.layers.values():
            tiny.shake(layer.ca, seed=5)
            tiny.shake(layer.face_mod, seed=6)
    expected = run(joint, inputs, condition_of(joint_adapter))
    assert torch.allclose(run(gated, inputs, condition_of(gated_adapter)), expected, atol=1e-5)


def test_projection_after_a_step_keeps_gates_at_or_above_zero():
    _, adapter = tiny.with_adapter(attention_mode="gated_joint")
    for layer in adapter.layers.values():
        layer.face_gate.data.fill_(-0.3)
    adapter.project()
    assert all(layer.face_gate.item() == 0.0 for layer in adapter.layers.values())


@pytest.mark.capability("decoupled cross-attention", scale="T")
def test_adapters_sit_in_even_layers_only():
    model, adapter = tiny.with_adapter()
    assert [b.adapter is not None for b in model.transformer_blocks] == [True, False, True, False]
    assert list(adapter.layers) == ["0", "2"]
    model.detach_layers()
    assert not any(".adapter." in name for name in model.state_dict())


@pytest.mark.capability("face stream", scale="T")
def test_odd_layers_pass_face_tokens_unchanged_and_work_as_the_base_block():
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    g = torch.Generator().manual_seed(0)
    video, text, face = (torch.randn(2, n, 64, generator=g) for n in (16, 6, 4))
    temb, code = torch.randn(2, 32, generator=g), torch.randn(2, 32, generator=g)
    block = model.transformer_blocks[1]
    with torch.no_grad():
        out_video, out = block(video, torch.cat([face, text], 1), temb, None, None, 4, code)
        base_video, base_text = block(video, text, temb)
    assert torch.equal(out[:, :4], face)
    assert torch.equal(out_video, base_video)
    assert torch.equal(out[:, 4:], base_text)


def test_identity_reaches_the_output_through_even_layers_only():
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    inputs = tiny.inputs()
    condition = condition_of(adapter)
    with_identity = run(model, inputs, condition)
    for index in (0, 2):
        model.transformer_blocks[index].adapter = None
    assert torch.equal(run(model, inputs, condition), run(model, inputs))
    assert not torch.equal(with_identity, run(model, inputs))


@pytest.mark.parametrize("mode", ["joint", "asymmetric", "gated_joint"])
def test_face_and_text_tokens_have_no_position(mode):
    model, adapter = tiny.with_adapter(attention_mode=mode)
    tiny.shake(adapter)
    inputs = tiny.inputs()
    condition = condition_of(adapter)
    expected = run(model, inputs, condition)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = condition.transformer_inputs() | {"face_tokens": condition.x_face[:, order]}
    with torch.no_grad():
        assert torch.allclose(model(**inputs, **shuffled).sample, expected, atol=1e-5)
    text = inputs["encoder_hidden_states"]
    inputs["encoder_hidden_states"] = text[:, torch.randperm(text.shape[1])]
    assert torch.allclose(run(model, inputs, condition), expected, atol=1e-5)


def test_permuting_face_tokens_permutes_the_face_output_of_a_block():
    model, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    g = torch.Generator().manual_seed(0)
    video, text, face = (torch.randn(1, n, 64, generator=g) for n in (48, 6, 4))
    temb, code = torch.randn(1, 32, generator=g), torch.randn(1, 32, generator=g)
    rotary = tiny.inputs()["image_rotary_emb"]
    order = torch.tensor([3, 1, 0, 2])
    block = model.transformer_blocks[0]
    with torch.no_grad():
        _, first = block(video, torch.cat([face, text], 1), temb, rotary, None, 4, code)
        _, second = block(video, torch.cat([face[:, order], text], 1), temb, rotary, None, 4, code)
    assert torch.allclose(first[:, order], second[:, :4], atol=1e-5)


@pytest.mark.capability("decoupled cross-attention", scale="T")
def test_cross_attention_does_not_depend_on_where_a_pixel_is():
    model, adapter = tiny.with_adapter()
    attn, ca = model.transformer_blocks[0].attn1, adapter.layers["0"].ca
    tiny.shake(ca)
    g = torch.Generator().manual_seed(0)
    video = torch.randn(1, 1, 64, generator=g).expand(1, 48, 64)
    encoder = torch.randn(1, 10, 64, generator=g)
    rotary = tiny.inputs()["image_rotary_emb"]
    call = {"hidden_states": video, "encoder_hidden_states": encoder, "image_rotary_emb": rotary}
    with torch.no_grad():
        with_ca, _ = attn(**call, face_length=4, face_attention=ca)
        without, _ = attn(**call, face_length=4, face_attention=ca, ca_scale=0.0)
    crossed = with_ca - without
    assert crossed.abs().max() > 1e-3
    assert torch.allclose(crossed, crossed[:, :1].expand_as(crossed), atol=1e-5)


@pytest.mark.capability("decoupled cross-attention", scale="T")
@pytest.mark.capability("face stream", scale="T")
def test_joint_mode_equals_a_hand_written_reference():
    model, adapter = tiny.with_adapter()
    attn, ca = model.transformer_blocks[0].attn1, adapter.layers["0"].ca
    tiny.shake(ca)
    g = torch.Generator().manual_seed(0)
    video, encoder = torch.randn(1, 8, 64, generator=g), torch.randn(1, 6, 64, generator=g)
    with torch.no_grad():
        out_video, out_encoder = attn(
            video, encoder, face_length=4, face_attention=ca, ca_scale=0.7
        )
        x = torch.cat([encoder, video], 1)

        def heads(t):
            return t.view(1, -1, 4, 16).transpose(1, 2)

        q, k, v = (heads(p(x)) for p in (attn.to_q, attn.to_k, attn.to_v))
        q, k = attn.norm_q(q), attn.norm_k(k)
        fk, fv = ca.norm_k(heads(ca.to_k(encoder[:, :4]))), heads(ca.to_v(encoder[:, :4]))
        own = torch.softmax(q @ k.transpose(-1, -2) / 4.0, -1) @ v
        cross = torch.softmax(q @ fk.transpose(-1, -2) / 4.0, -1) @ fv
        expected = attn.to_out[0]((own + 0.7 * cross).transpose(1, 2).reshape(1, -1, 64))
    assert torch.allclose(torch.cat([out_encoder, out_video], 1), expected, atol=1e-5)


def test_fused_projections_are_refused():
    with pytest.raises(UserError, match="face attention"):
        tiny.with_adapter()[0].fuse_qkv_projections()


def test_switches_leave_the_branch_out():
    for switch, gone in (("use_can", ".can."), ("use_ca", ".ca."), ("use_face", "face_")):
        overrides = {switch: False} | ({"use_ca": False} if switch == "use_face" else {})
        model, adapter = tiny.with_adapter(**overrides)
        assert not any(gone in name for name in adapter.state_dict())
        assert run(model, tiny.inputs(), condition_of(adapter)).isfinite().all()


@pytest.mark.parametrize("mode", ["joint", "asymmetric", "gated_joint"])
def test_face_tokens_without_a_face_stream_are_refused_in_words(mode):
    _, whole = tiny.with_adapter()
    model, _ = tiny.with_adapter(use_face=False, use_ca=False, attention_mode=mode)
    face = condition_of(whole).x_face
    with torch.no_grad(), pytest.raises(UserError, match="no face stream"):
        model(**tiny.inputs(), face_tokens=face)
