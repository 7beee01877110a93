"""Gradients at step 0, frozen tensors, the golden list of trained names, gradient checkpointing."""

import pytest
import torch

from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from tests.nn import tiny

LAYER_NAMES = {
    *(f"can.{layer}.{kind}" for layer in ("fc1", "fc2") for kind in ("weight", "bias")),
    "face_mod.linear.weight",
    "face_mod.linear.bias",
    *(f"face_norm{n}.{kind}" for n in (1, 2) for kind in ("weight", "bias")),
    *(f"ca.{part}.{kind}" for part in ("to_k", "to_v", "norm_k") for kind in ("weight", "bias")),
}
PERCEIVER_NAMES = {
    "latents",
    *(f"{part}.{k}" for part in ("proj_in", "proj_out", "norm_out") for k in ("weight", "bias")),
    *(
        f"layers.{i}.0.{n}.{k}"
        for i in (0, 1)
        for n in ("norm1", "norm2")
        for k in ("weight", "bias")
    ),
    *(f"layers.{i}.0.{n}.weight" for i in (0, 1) for n in ("to_q", "to_kv", "to_out")),
    *(f"layers.{i}.1.{n}" for i in (0, 1) for n in ("0.weight", "0.bias", "1.weight", "3.weight")),
}
GLOBAL_NAMES = {
    "null_id",
    "null_face",
    *(f"{part}.{kind}" for part in ("face_proj", "can_proj") for kind in ("weight", "bias")),
    *(f"text_fusion.{part}.{k}" for part in ("norm", "fc1", "fc2") for k in ("weight", "bias")),
}
GOLDEN = (
    GLOBAL_NAMES
    | {f"face_perceiver.{name}" for name in PERCEIVER_NAMES}
    | {f"layers.{i}.{name}" for i in (0, 2) for name in LAYER_NAMES}
)


def step(model, seed=0, drop=None):
    inputs = tiny.inputs(seed=seed)
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 1:5] = True
    out = model(
        inputs["hidden_states"],
        inputs["timestep"],
        inputs["encoder_hidden_states"],
        mask,
        tiny.features(seed=seed),
        drop,
    )
    return (out - inputs["hidden_states"]).square().mean()


def size(parameters, name):
    grads = [p.grad for n, p in parameters.items() if name in n]
    assert grads, name
    return max(0.0 if g is None else g.abs().max().item() for g in grads)


@pytest.mark.parametrize("mode", ["joint", "asymmetric"])
def test_gradients_at_step_zero(mode):
    transformer, adapter = tiny.with_adapter(attention_mode=mode)
    model = MagicMirrorModel(transformer, adapter)
    trained = model.trained_parameters()
    step(model).backward()
    for name in ("can.fc2", "ca.to_v", "text_fusion.fc2"):
        assert size(trained, name) > 0, name
    for name in ("can.fc1", "can_proj", "ca.to_k", "text_fusion.fc1"):
        assert size(trained, name) == 0, name
    alive = mode == "joint"
    for name in ("face_perceiver.latents", "face_mod"):
        assert (size(trained, name) > 0) == alive, name
    if not alive:
        optimizer = torch.optim.SGD(trained.values(), lr=1.0)
        optimizer.step()
        optimizer.zero_grad()
        step(model).backward()
        assert size(trained, "face_perceiver.latents") > 0
        assert size(trained, "face_mod") > 0


def test_only_the_golden_names_train_and_all_else_stays_bit_identical():
    transformer, adapter = tiny.with_adapter()
    model = MagicMirrorModel(transformer, adapter)
    assert set(model.trained_parameters()) == GOLDEN
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for p in adapter.parameters()}
    frozen = {
        name: value.clone()
        for name, value in transformer.state_dict().items()
        if ".adapter." not in name
    }
    before = {name: value.clone() for name, value in adapter.state_dict().items()}
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    for seed in range(3):
        optimizer.zero_grad()
        step(model, seed, torch.tensor([seed == 1, False])).backward()
        optimizer.step()
    after = transformer.state_dict()
    assert frozen.keys() == tiny.base_transformer().state_dict().keys()
    assert all(torch.equal(value, after[name]) for name, value in frozen.items())
    unmoved = {n for n, v in adapter.state_dict().items() if torch.equal(v, before[n])}
    # the last layers' face gates act on a stream that is not read again
    assert unmoved <= {"layers.2.face_norm2.weight", "layers.2.face_norm2.bias"}


def test_gradient_checkpointing_gives_the_same_gradients():
    grads = []
    for enabled in (False, True):
        transformer, adapter = tiny.with_adapter(attention_mode="gated_joint")
        tiny.shake(adapter, scale=0.05)
        model = MagicMirrorModel(transformer, adapter)
        if enabled:
            transformer.enable_gradient_checkpointing()
        step(model).backward()
        grads.append({n: p.grad for n, p in model.trained_parameters().items()})
    assert any(g is not None for g in grads[0].values())
    for name, grad in grads[0].items():
        assert (grad is None) == (grads[1][name] is None), name
        assert grad is None or torch.allclose(grad, grads[1][name], atol=1e-6), name


def test_dropped_rows_use_the_learned_nulls():
    _, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    condition = adapter.encode_identity(tiny.features())
    dropped = adapter.drop(condition, torch.tensor([True, False]))
    null = adapter.null_condition(2, 2)
    assert torch.equal(dropped.x_face[0], null.x_face[0])
    assert torch.equal(dropped.id_code[0], null.id_code[0])
    assert torch.equal(dropped.x_face[1], condition.x_face[1])
    assert dropped.fused.tolist() == [False, True]
    text = torch.randn(2, tiny.MAX_LENGTH, 32)
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 2:6] = True
    out = adapter.fuse_text(text, mask, dropped)
    assert torch.equal(out[0], text[0])
    assert not torch.equal(out[1], text[1])


def outputs(transformer, adapter, part=None):
    """What a picture and a clip become, with `part` of the adapter's tensors moved."""
    with torch.no_grad():
        if part is not None:
            for name, parameter in adapter.named_parameters():
                if part in name:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded()))
        identity = adapter.encode_identity(tiny.features()).transformer_inputs()
        both = [tiny.inputs(frames=frames) for frames in (1, 3)]
        return [transformer(**one, **identity).sample for one in both]


def seeded():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("part", ["can.fc2", "can_proj", "face_mod", "ca.to_v", "face_perceiver"])
def test_image_and_video_use_the_same_weights(part):
    transformer, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    before = outputs(transformer, adapter)
    assert [out.shape[1] for out in before] == [1, 3]
    after = outputs(transformer, adapter, part)
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_second_stage_begins_with_the_first_one_s_adapter(tmp_path):
    transformer, adapter = tiny.with_adapter()
    tiny.shake(adapter)
    MagicMirrorModel(transformer, adapter)
    adapter.save_pretrained(tmp_path, stage="pretrain", step=30_000)
    second = tiny.transformer()
    loaded = MagicMirrorAdapter.from_pretrained(tmp_path, second, dtype=torch.float32)
    MagicMirrorModel(second, loaded)
    known, found = outputs(transformer, adapter), outputs(second, loaded)
    assert all(torch.equal(a, b) for a, b in zip(known, found, strict=True))


def test_nothing_draws_from_the_global_random_state():
    transformer = tiny.transformer()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    config = adapter_config("tiny", transformer.config, 24, 32)
    first = MagicMirrorAdapter.create(transformer, config, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    second = MagicMirrorAdapter.create(tiny.transformer(), config, seed=3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = MagicMirrorAdapter.create(tiny.transformer(), config, seed=4).state_dict()
    assert not torch.equal(first["face_proj.weight"], other["face_proj.weight"])


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("mode", ["joint", "asymmetric", "gated_joint"])
def test_every_trained_tensor_has_a_gradient_in_every_step(mode: str, dropped: bool) -> None:
    """Plain DDP waits for each of them, also for those that nothing reads."""
    model = MagicMirrorModel(*tiny.with_adapter(attention_mode=mode))
    step(model, drop=torch.tensor([dropped] * 2)).backward()
    assert [n for n, p in model.trained_parameters().items() if p.grad is None] == []
    unread = [p for n, p in model.trained_parameters().items() if n in model.adapter.unread]
    assert unread and not any(p.grad.any() for p in unread)
