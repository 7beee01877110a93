"""A folder laid out like the real checkpoint (sharded transformer and T5, VAE) loads by name."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from tests.nn import layout, tiny

pytestmark = pytest.mark.capability("CogVideoX-5B's layout", scale="L")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return layout.write(tmp_path_factory.mktemp("backbone"))


def test_every_weight_arrives(folder):
    parts = load_components(folder)
    for name, original in (
        ("transformer", tiny.base_transformer()),
        ("text_encoder", tiny.text_encoder()),
        ("vae", tiny.vae()),
    ):
        loaded, expected = parts[name].state_dict(), original.state_dict()
        assert loaded.keys() == expected.keys()
        assert all(torch.equal(loaded[key], expected[key]) for key in expected), name
        assert not parts[name].training
        assert not any(p.requires_grad for p in parts[name].parameters() if name != "transformer")
    assert isinstance(parts["transformer"], MagicMirrorTransformer3DModel)
    assert parts["identity_encoder"] is None
    ids = tiny.tokenizer()("a man walks")["input_ids"]
    assert parts["tokenizer"]("a man walks")["input_ids"] == ids
    assert parts["scheduler"].config.prediction_type == "v_prediction"


def test_weights_arrive_in_the_asked_dtype(folder):
    parts = load_components(folder, torch.bfloat16)
    assert {p.dtype for p in parts["transformer"].parameters()} == {torch.bfloat16}
    assert parts["vae"].dtype == torch.bfloat16


def test_our_class_also_reads_the_folder_by_itself(folder):
    model = MagicMirrorTransformer3DModel.from_pretrained(folder / "transformer")
    expected = tiny.base_transformer().state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in model.state_dict().items())


def test_sincos_positions_survive():
    changes = {"use_rotary_positional_embeddings": False}
    base = tiny.base_transformer(**changes)
    model = MagicMirrorTransformer3DModel.from_base(base)
    inputs = tiny.inputs() | {"image_rotary_emb": None}
    with torch.no_grad():
        assert torch.equal(model(**inputs).sample, base(**inputs).sample)


def test_incomplete_folders_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="tokenizer"):
        load_components(tmp_path)
    with pytest.raises(UserError, match=r"config\.json"):
        MagicMirrorTransformer3DModel.from_base(tmp_path)
    (tmp_path / "config.json").write_text((folder / "transformer" / "config.json").read_text())
    torch.save(tiny.base_transformer().state_dict(), tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        MagicMirrorTransformer3DModel.from_base(tmp_path)


@pytest.mark.parametrize("part", ["vae", "text_encoder", "transformer"])
@pytest.mark.parametrize("change", ["gone", "misshapen", "cut"])
def test_a_tensor_that_a_library_would_make_up_is_refused(folder, tmp_path, part, change):
    made = tmp_path / "backbone"
    shutil.copytree(folder, made)
    path = sorted((made / part).glob("*.safetensors"))[0]
    state = load_file(path)
    name = next(name for name in sorted(state) if state[name].ndim > 1)
    if change == "gone":
        del state[name]
    else:
        state[name] = state[name][:1].clone()
    save_file(state, path, {"format": "pt"})
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=str(made / part)) as refused:
        load_components(made)
    assert change == "cut" or name in str(refused.value)
