"""Whatever is built first: what is trained is what runs, and every trained tensor moves."""

import pytest
import torch

from mm_model.diffusion.schedule import build_scheduler
from mm_model.errors import UserError
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from tests.nn import tiny


def pipeline(transformer, adapter=None):
    from mm_model.generation.pipeline import MagicMirrorPipeline

    return MagicMirrorPipeline(
        tiny.tokenizer(),
        tiny.text_encoder(),
        tiny.vae(),
        transformer,
        build_scheduler(),
        tiny.identity_encoder(),
        adapter,
    )


def still(model, steps=3):
    """Names of the trained tensors that `steps` steps leave as they were, but for unread ones."""
    optimizer = torch.optim.AdamW([p for p in model.adapter.parameters() if p.requires_grad], 1e-3)
    before = {name: p.detach().clone() for name, p in model.trained_parameters().items()}
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[0, 1:5] = True
    dropped = torch.tensor([False, True])
    for seed in range(steps):
        given = tiny.inputs(seed=seed)
        out = model(
            given["hidden_states"],
            given["timestep"],
            given["encoder_hidden_states"],
            mask,
            tiny.features(seed=seed),
            dropped,
        )
        optimizer.zero_grad()
        (out - given["hidden_states"]).square().mean().backward()
        optimizer.step()
    after = model.trained_parameters()
    return {n for n in before if torch.equal(before[n], after[n])} - model.adapter.unread


def build(order):
    """A training and a pipeline over one transformer, built in this order."""
    transformer, adapter = tiny.with_adapter()
    if order == "pipeline first":
        pipeline(transformer, adapter)
    model = MagicMirrorModel(transformer, adapter)
    if order == "pipeline last":
        pipeline(transformer, adapter)
    if order == "pipeline of the plain base last":
        pipeline(transformer)
    if order == "from_pipe last":
        from mm_model.generation.pipeline import MagicMirrorPipeline

        MagicMirrorPipeline.from_pipe(pipeline(transformer, adapter))
    return model


ORDERS = ("pipeline first", "pipeline last", "pipeline of the plain base last", "from_pipe last")


@pytest.mark.parametrize("order", ORDERS)
def test_every_trained_tensor_moves_in_whatever_order_things_are_built(order):
    model = build(order)
    assert all(not layer.can.fc2.weight.any() for layer in model.adapter.layers.values())
    assert still(model) == set()
    assert all(layer.can.fc2.weight.any() for layer in model.adapter.layers.values())


def test_a_pipeline_leaves_modes_and_gradients_as_they_are():
    transformer, adapter = tiny.with_adapter()
    transformer.train()
    transformer.proj_out.requires_grad_(False)
    before = {name: p.requires_grad for name, p in transformer.named_parameters()}
    pipe = pipeline(transformer, adapter)
    assert pipe.transformer.training
    assert {name: p.requires_grad for name, p in transformer.named_parameters()} == before
    taken = pipeline(tiny.base_transformer().requires_grad_(False)).transformer
    assert not any(p.requires_grad for p in taken.parameters())


def test_a_second_adapter_on_the_transformer_never_leaves_the_first_one_training_for_nothing():
    transformer, first = tiny.with_adapter()
    model = MagicMirrorModel(transformer, first)
    second = MagicMirrorAdapter.create(transformer, first.config, seed=1)
    with pytest.raises(UserError, match="not in this transformer"):
        still(model)
    transformer.attach_adapter(first)
    assert still(model) == set()
    assert still(MagicMirrorModel(transformer, second)) == set()


def test_an_adapter_made_on_another_transformer_is_put_in():
    _, adapter = tiny.with_adapter()
    assert still(MagicMirrorModel(tiny.transformer(), adapter)) == set()
    transformer, _ = tiny.with_adapter()
    pipe = pipeline(transformer, adapter)
    assert adapter.is_in(pipe.transformer)


def test_an_adapter_that_was_replaced_is_refused_by_its_pipeline():
    transformer, first = tiny.with_adapter()
    pipe = pipeline(transformer, first)
    pipe.set_progress_bar_config(disable=True)
    identity = first.encode_identity(tiny.features(1))
    call = {"identity": identity, "num_frames": 9, "num_inference_steps": 1}
    MagicMirrorAdapter.create(transformer, first.config, seed=1)
    with pytest.raises(UserError, match="not in this transformer"):
        pipe("a man walks", **call)
    transformer.detach_layers()
    with pytest.raises(UserError, match="not in this transformer"):
        pipe("a man walks", **call)


def test_an_adapter_of_another_shape_is_refused_wherever_it_is_put_in():
    _, adapter = tiny.with_adapter()
    other = tiny.transformer(num_layers=2)
    for build_it in (
        lambda: MagicMirrorModel(other, adapter),
        lambda: pipeline(other, adapter),
        lambda: other.attach_adapter(adapter),
    ):
        with pytest.raises(UserError, match="number of layers"):
            build_it()
