"""A folder laid out like the real checkpoint (sharded transformer and T5, VAE) loads by name."""

import json

import pytest
import torch
from safetensors.torch import save_file

from mm_model.diffusion.schedule import build_scheduler
from mm_model.errors import UserError
from mm_model.nn.backbone import load_components
from mm_model.nn.tokenizer import save_tokenizer
from mm_model.nn.transformer import MagicMirrorTransformer3DModel
from tests.nn import tiny


def write_sharded(state, folder, stem, shards=3):
    """Tensors in numbered shards plus the index file, as published checkpoints have them."""
    names = sorted(state)
    weight_map = {}
    for number in range(shards):
        part = names[number::shards]
        file = f"{stem}-{number + 1:05d}-of-{shards:05d}.safetensors"
        save_file({n: state[n].contiguous() for n in part}, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(t.numel() * t.element_size() for t in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("backbone")
    transformer, text, vae = tiny.base_transformer(), tiny.text_encoder(), tiny.vae()
    for name in ("transformer", "text_encoder"):
        (root / name).mkdir()
    config = {"_class_name": "CogVideoXTransformer3DModel", "_diffusers_version": "0.30.1"}
    config |= {k: v for k, v in transformer.config.items() if not k.startswith("_")}
    (root / "transformer" / "config.json").write_text(json.dumps(config))
    write_sharded(transformer.state_dict(), root / "transformer", "diffusion_pytorch_model")
    text.config.save_pretrained(root / "text_encoder")
    write_sharded(
        {k: v for k, v in text.state_dict().items() if k != "encoder.embed_tokens.weight"},
        root / "text_encoder",
        "model",
        shards=2,
    )
    vae.save_pretrained(root / "vae")
    save_tokenizer(tiny.tokenizer(), root / "tokenizer")
    build_scheduler().save_pretrained(root / "scheduler")
    index = {
        "_class_name": "CogVideoXPipeline",
        "scheduler": ["diffusers", "CogVideoXDDIMScheduler"],
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLCogVideoX"],
    }
    (root / "model_index.json").write_text(json.dumps(index))
    return root


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
