"""A folder laid out like the real checkpoint: sharded transformer and T5, VAE, text tokens, noise.

The weights are small and random; only names, shapes' pattern, dtypes and files are the real ones.
"""

import json

import torch
from safetensors.torch import save_file

from mm_model.diffusion.schedule import build_scheduler
from mm_model.nn.cogvideox.tokenizer import save_tokenizer
from mm_model.published.sizes import COGVIDEOX_2B_SCHEDULE, COGVIDEOX_2B_VAE
from tests.nn import tiny

SINCOS = {"use_rotary_positional_embeddings": False}
"""What the 2B transformer is told apart by, beside its layers and heads."""
NEWER = ("ofs_embed_dim", "patch_bias", "patch_size_t", "use_learned_positional_embeddings")
"""Fields that the configurations of August 2024 do not have yet."""


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


def write(root, dtype=torch.float32):
    """A small random backbone below `root`, file by file as CogVideoX-5B is published."""
    _write_parts(root, tiny.base_transformer().to(dtype), tiny.vae().to(dtype), shards=3)
    build_scheduler().save_pretrained(root / "scheduler")
    _write_index(root, "CogVideoXDPMScheduler" if dtype == torch.bfloat16 else None)
    return root


def write_2b(root, dtype=torch.float16):
    """The same as CogVideoX-2B: sincos positions, one file, another scale, another noise."""
    vae = tiny.vae()
    vae.register_to_config(scaling_factor=COGVIDEOX_2B_VAE["scaling_factor"])
    _write_parts(root, tiny.base_transformer(**SINCOS).to(dtype), vae.to(dtype), shards=1)
    build_scheduler("ddim", COGVIDEOX_2B_SCHEDULE).save_pretrained(root / "scheduler")
    _write_index(root)
    return root


def _write_parts(root, transformer, vae, shards):
    text = tiny.text_encoder().to(transformer.dtype)
    for name in ("transformer", "text_encoder"):
        (root / name).mkdir()
    config = {"_class_name": "CogVideoXTransformer3DModel", "_diffusers_version": "0.30.1"}
    config |= {k: v for k, v in transformer.config.items() if not k.startswith("_")}
    config = {name: value for name, value in config.items() if name not in NEWER}
    (root / "transformer" / "config.json").write_text(json.dumps(config))
    state, stem = transformer.state_dict(), "diffusion_pytorch_model"
    if shards > 1:
        write_sharded(state, root / "transformer", stem, shards)
    else:
        save_file(state, root / "transformer" / f"{stem}.safetensors", {"format": "pt"})
    text.config.save_pretrained(root / "text_encoder")
    words = {k: v for k, v in text.state_dict().items() if k != "encoder.embed_tokens.weight"}
    write_sharded(words, root / "text_encoder", "model", shards=2)
    vae.save_pretrained(root / "vae")
    save_tokenizer(tiny.tokenizer(), root / "tokenizer")


def _write_index(root, scheduler=None):
    if scheduler:
        path = root / "scheduler" / "scheduler_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"_class_name": scheduler}))
    index = {
        "_class_name": "CogVideoXPipeline",
        "scheduler": ["diffusers", scheduler or "CogVideoXDDIMScheduler"],
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLCogVideoX"],
    }
    (root / "model_index.json").write_text(json.dumps(index))
