"""A folder laid out like the real checkpoint: sharded transformer and T5, VAE, text tokens, noise.

The weights are small and random; only names, shapes' pattern and files are the real ones.
"""

import json

from safetensors.torch import save_file

from mm_model.diffusion.schedule import build_scheduler
from mm_model.nn.cogvideox.tokenizer import save_tokenizer
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


def write(root):
    """A small random backbone below `root`, file by file as CogVideoX-5B is published."""
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
