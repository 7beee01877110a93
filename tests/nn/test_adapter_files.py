"""Adapter folders: round trip, no base weights, refusals, resume."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file

from mm_model.errors import UserError
from mm_model.nn.injection.files import CONFIG_NAME, WEIGHTS_NAME
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.injection.table import read_config
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from tests.nn import tiny


@pytest.fixture
def saved(tmp_path):
    model, adapter = tiny.with_adapter(recognizer_sha256="a" * 64, attention_mode="gated_joint")
    tiny.shake(adapter)
    adapter.save_pretrained(tmp_path, stage="pretrain", step=7)
    return tmp_path, model, adapter


def output(model, adapter):
    condition = adapter.encode_identity(tiny.features())
    with torch.no_grad():
        return model(**tiny.inputs(), **condition.transformer_inputs()).sample


def edit(folder, **changes):
    path = folder / CONFIG_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_round_trip_is_bit_equal(saved):
    folder, model, adapter = saved
    fresh = tiny.transformer()
    loaded = MagicMirrorAdapter.from_pretrained(folder, fresh, "a" * 64)
    assert torch.equal(output(fresh, loaded), output(model, adapter))
    config = read_config(folder)
    assert (config.stage, config.step, config.attention_mode) == ("pretrain", 7, "gated_joint")
    assert not loaded.training


def test_the_margin_of_the_reference_portrait_is_the_adapter_s(tmp_path):
    _, adapter = tiny.with_adapter(reference_margin=2.5)
    adapter.save_pretrained(tmp_path)
    assert read_config(tmp_path).reference_margin == 2.5
    edit(tmp_path, reference_margin=None)
    assert read_config(tmp_path).reference_margin is None
    said = json.loads((tmp_path / CONFIG_NAME).read_text())
    said.pop("reference_margin")
    (tmp_path / CONFIG_NAME).write_text(json.dumps(said))
    assert read_config(tmp_path).reference_margin == 1.6


def test_file_holds_no_base_weights_and_the_documented_keys(saved):
    folder, _, adapter = saved
    keys = set(load_file(folder / WEIGHTS_NAME))
    assert keys == set(adapter.state_dict())
    assert not keys & set(tiny.base_transformer().state_dict())
    assert {"face_perceiver.latents", "layers.2.can.fc1.weight", "layers.0.face_gate"} <= keys
    assert sorted(p.name for p in folder.iterdir()) == [WEIGHTS_NAME, CONFIG_NAME]


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"adapter_layers": [1, 3]}, "even layers"),
        ({"num_layers": 6, "adapter_layers": [0, 2, 4]}, "number of layers"),
        ({"width": 128}, "width"),
        ({"family": "cogvideox-2b"}, "base family"),
        ({"version": 99}, "version"),
        ({"surprise": 1}, "unknown fields"),
        ({"reference_margin": 0.5}, "face heights"),
        ({"reference_margin": "wide"}, "face heights"),
        ({"class": "Other"}, "class"),
        ({"face_tokens": 5}, "another size"),
        ({"weights_sha256": "0" * 64}, "SHA-256"),
        ({"weights_sha256": None}, "weights_sha256"),
    ],
)
def test_misfits_are_refused_with_a_sentence(saved, changes, hint):
    folder, _, _ = saved
    edit(folder, **changes)
    model = tiny.transformer()
    with pytest.raises(UserError, match=hint):
        MagicMirrorAdapter.from_pretrained(folder, model, "a" * 64)
    assert not any(".adapter." in name for name in model.state_dict())


def test_another_conditioning_recogniser_is_refused(saved):
    with pytest.raises(UserError, match="recogniser"):
        MagicMirrorAdapter.from_pretrained(saved[0], tiny.transformer(), "b" * 64)


def test_another_backbone_is_refused(saved):
    with pytest.raises(UserError, match="number of layers 4"):
        MagicMirrorAdapter.from_pretrained(saved[0], tiny.transformer(num_layers=2))


def test_damaged_and_missing_files_are_named(saved):
    folder, _, _ = saved
    weights = folder / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match=WEIGHTS_NAME):
        MagicMirrorAdapter.from_pretrained(folder, tiny.transformer())
    weights.unlink()
    with pytest.raises(UserError, match="missing"):
        MagicMirrorAdapter.from_pretrained(folder, tiny.transformer())
    (folder / CONFIG_NAME).write_text("{")
    with pytest.raises(UserError, match="JSON"):
        MagicMirrorAdapter.from_pretrained(folder, tiny.transformer())
    with pytest.raises(UserError, match="missing"):
        MagicMirrorAdapter.from_pretrained(folder / "nowhere", tiny.transformer())


def train(model, optimizer, steps):
    losses = []
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 1:5] = True
    for seed in steps:
        inputs = tiny.inputs(seed=seed)
        text, noisy = inputs["encoder_hidden_states"], inputs["hidden_states"]
        out = model(noisy, inputs["timestep"], text, mask, tiny.features(seed=seed))
        loss = (out - noisy).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_resume_reproduces_the_losses_exactly(tmp_path):
    transformer, adapter = tiny.with_adapter()
    model = MagicMirrorModel(transformer, adapter)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    train(model, optimizer, range(2))
    adapter.save_pretrained(tmp_path)
    state = copy.deepcopy(optimizer.state_dict())
    expected = train(model, optimizer, range(2, 5))
    fresh = tiny.transformer()
    resumed = MagicMirrorModel(fresh, MagicMirrorAdapter.from_pretrained(tmp_path, fresh))
    second = torch.optim.AdamW(resumed.adapter.parameters(), lr=1e-2)
    second.load_state_dict(state)
    assert train(resumed, second, range(2, 5)) == expected
