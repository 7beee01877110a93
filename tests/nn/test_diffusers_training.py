"""What diffusers users do to a transformer: LoRA, checkpointing, compiling, processors, casting."""

import pytest
import torch
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0

from mm_model.errors import UserError
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.attention import MagicMirrorAttnProcessor
from tests.nn import tiny
from tests.nn.pipes import PLAIN, clip, mirror, plain, stock, subject

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


def lora_names(model):
    return {name.split(".lora_")[0] for name, _ in model.named_modules() if ".lora_A" in name}


def peft_state(model):
    from peft.utils import get_peft_model_state_dict

    return get_peft_model_state_dict(model)


def lora_config(targets=ATTENTION):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    return peft.LoraConfig(r=2, lora_alpha=2, target_modules=targets, init_lora_weights=False)


@pytest.mark.capability("LoRA", scale="T")
@pytest.mark.parametrize("targets", [ATTENTION, "all-linear", r".*to_(k|v)", ["proj_out", "to_v"]])
def test_a_lora_for_training_leaves_the_adapter_s_projections_alone(targets):
    pipe = mirror(ca_out_proj="own")
    names = set(pipe.adapter.state_dict())
    pipe.transformer.requires_grad_(False)
    pipe.adapter.requires_grad_(False)
    pipe.transformer.add_adapter(lora_config(targets))
    found = lora_names(pipe.transformer)
    assert "transformer_blocks.0.attn1.to_k" in found or "proj_out" in found
    assert not any(".adapter." in name for name in found)
    assert set(pipe.adapter.state_dict()) == names
    trained = {n for n, p in pipe.transformer.named_parameters() if p.requires_grad}
    assert trained and all(".lora_" in name for name in trained)


@pytest.mark.capability("LoRA", scale="T")
def test_a_lora_learns_beside_a_frozen_adapter_and_the_identity_stays():
    pipe = mirror()
    person, other = (pipe.encode_references(subject(seed=n)) for n in (0, 5))
    usual = clip(pipe, identity=person)
    pipe.transformer.requires_grad_(False)
    pipe.transformer.add_adapter(lora_config())
    before = {n: p.detach().clone() for n, p in pipe.transformer.named_parameters()}
    given = tiny.inputs(batch=1)
    out = pipe.transformer(**given, **person.transformer_inputs(), return_dict=False)[0]
    out.square().mean().backward()
    torch.optim.SGD([p for p in pipe.transformer.parameters() if p.requires_grad], 10.0).step()
    moved = {n for n, p in pipe.transformer.named_parameters() if not torch.equal(before[n], p)}
    assert moved and all(".lora_" in name for name in moved)
    changed = clip(pipe, identity=person)
    assert not torch.allclose(changed, usual, atol=1e-3)
    assert not torch.allclose(changed, clip(pipe, identity=other), atol=1e-3)
    half = clip(pipe, identity=person, attention_kwargs={"scale": 0.0})
    assert torch.allclose(half, usual, atol=1e-3)
    pipe.transformer.disable_lora()
    assert torch.allclose(clip(pipe, identity=person), usual, atol=1e-3)


@pytest.mark.parametrize("wrong", ["somebody/a-lora", "/nowhere/lora.safetensors", 3, None])
def test_a_lora_that_does_not_lie_here_is_refused_at_once(wrong, monkeypatch):
    pipe = mirror()
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))
    hint = "nothing is downloaded" if isinstance(wrong, str) else "The LoRA is .*; give the path"
    for load in (pipe.load_lora_weights, pipe.transformer.load_lora_adapter):
        with pytest.raises(UserError, match=hint):
            load(wrong)


@pytest.mark.capability("LoRA", scale="T")
def test_a_saved_lora_is_loaded_into_the_base_s_projections(tmp_path):
    pipe, other = mirror(), mirror()
    pipe.transformer.add_adapter(lora_config())
    expected = clip(pipe, reference_images=subject())
    pipe.transformer.save_lora_adapter(tmp_path)  # its metadata name the projections by ending
    other.transformer.load_lora_adapter(tmp_path, prefix=None)
    assert lora_names(other.transformer) == lora_names(pipe.transformer)
    assert torch.allclose(clip(other, reference_images=subject()), expected, atol=1e-3)
    by_pipeline = mirror()
    layers = peft_state(pipe.transformer)
    pipe.save_lora_weights(tmp_path / "pipe", transformer_lora_layers=layers)
    by_pipeline.load_lora_weights(tmp_path / "pipe")
    assert torch.allclose(clip(by_pipeline, reference_images=subject()), expected, atol=1e-3)
    torch.save({}, tmp_path / "lora.bin")
    with pytest.raises(UserError, match="is a pickle file"):
        by_pipeline.load_lora_weights(tmp_path, weight_name="lora.bin")
    with pytest.raises(UserError, match="is a pickle file"):
        other.transformer.load_lora_adapter(tmp_path, weight_name="lora.bin")
    with pytest.raises(UserError, match="unload_lora"):
        pipe.transformer.to_base()
    other.transformer.unload_lora()
    assert lora_names(other.transformer) == set()


def test_what_puts_a_lora_in_never_sees_the_adapter_s_projections(monkeypatch):
    """Whatever its rule for choosing: they are not there while it chooses."""
    from diffusers.loaders.peft import PeftAdapterMixin

    seen = []

    def choose(self, *args, **kwargs):
        seen.append({name for name, _ in self.named_modules()})

    monkeypatch.setattr(PeftAdapterMixin, "add_adapter", choose)
    monkeypatch.setattr(PeftAdapterMixin, "load_lora_adapter", choose)
    pipe = mirror()
    pipe.transformer.add_adapter(None)
    pipe.transformer.load_lora_adapter({})
    for names in seen:
        assert "transformer_blocks.0.attn1.to_k" in names
        assert not any(".adapter" in name for name in names)
    assert len(seen) == 2 and pipe.adapter.is_in(pipe.transformer)


def test_without_peft_a_lora_is_refused_in_a_sentence(monkeypatch):
    from diffusers.utils import import_utils

    monkeypatch.setattr(import_utils, "_peft_available", False)
    pipe = mirror()
    with pytest.raises(ValueError, match="PEFT is not installed"):
        pipe.transformer.add_adapter(None)
    assert pipe.adapter.is_in(pipe.transformer)


def gradients(checkpointing):
    model = MagicMirrorModel(*tiny.with_adapter())
    tiny.shake(model.adapter, scale=0.05)
    if checkpointing:
        model.transformer.enable_gradient_checkpointing()
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 1:5] = True
    given = tiny.inputs()
    out = model(
        given["hidden_states"],
        given["timestep"],
        given["encoder_hidden_states"],
        mask,
        tiny.features(),
    )
    out.square().mean().backward()
    return {n: p.grad for n, p in model.trained_parameters().items() if p.grad is not None}


def test_gradient_checkpointing_gives_the_same_gradients():
    usual, saved = gradients(False), gradients(True)
    assert usual.keys() == saved.keys()
    assert all(torch.allclose(usual[name], saved[name], atol=1e-6) for name in usual)


@pytest.fixture
def compiler():
    """Graphs of other tests are forgotten. A kind of call takes three, more than torch keeps."""
    torch.compiler.reset()
    with torch._dynamo.config.patch(recompile_limit=64):
        yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.usefixtures("compiler")
def test_a_compiled_transformer_shows_the_same_person(whole):
    """The graph is traced; code is not generated, which would take a compiler and minutes."""
    pipe = mirror(attention_mode="gated_joint")
    asked = [
        {"reference_images": subject()},
        {},
        {"reference_images": subject(), "height": 48},
        {"reference_images": subject(seed=5), "guidance_scale": 1.0},
    ]
    asked = [{"num_inference_steps": 2, **one} for one in asked]
    expected = [clip(pipe, **one) for one in asked]
    if whole:
        pipe.transformer = torch.compile(pipe.transformer, backend="eager")
    else:
        pipe.transformer.compile_repeated_blocks(backend="eager", fullgraph=True)
    for one, latents in zip(asked, expected, strict=True):
        assert torch.allclose(clip(pipe, **one), latents, atol=1e-4)
    again = type(pipe)(**pipe.components)
    assert again.adapter.is_in(again.transformer)


def test_a_processor_that_would_drop_the_face_is_refused():
    pipe = mirror()
    expected = clip(pipe, reference_images=subject())
    pipe.transformer.set_attn_processor(CogVideoXAttnProcessor2_0())
    with pytest.raises(UserError, match="would drop the attention to the face"):
        clip(pipe, reference_images=subject())
    assert torch.equal(clip(pipe), clip(stock(), PLAIN))
    pipe.transformer.set_attn_processor(MagicMirrorAttnProcessor())
    assert torch.equal(clip(pipe, reference_images=subject()), expected)
    with pytest.raises(UserError, match="face attention"):
        pipe.fuse_qkv_projections()


def test_an_attention_backend_may_be_chosen():
    pipe = mirror()
    expected = clip(pipe, reference_images=subject())
    pipe.transformer.set_attention_backend("native")
    assert torch.equal(clip(pipe, reference_images=subject()), expected)


def test_a_transformer_stored_in_fewer_bits_keeps_the_identity_whole():
    """Layer-wise casting: the base's projections rest in 8 bits, the adapter's stay as they are."""
    pipe, base = mirror(), plain()
    for one in (pipe, base):
        one.transformer.enable_layerwise_casting(
            storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32
        )
    assert pipe.transformer.transformer_blocks[0].attn1.to_q.weight.dtype == torch.float8_e4m3fn
    assert {p.dtype for p in pipe.adapter.parameters()} == {torch.float32}
    assert torch.equal(clip(pipe), clip(base, PLAIN))
    person, other = (clip(pipe, reference_images=subject(seed=n)) for n in (0, 5))
    assert person.isfinite().all() and not torch.allclose(person, other, atol=1e-3)
