"""A checkpoint in one file, as most are handed round: the names of the original code.

The names are those that Stable Diffusion's first release wrote; tensors are those of a small
checkpoint in diffusers' layout.
"""

from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import load_file, save_file

_UNET = "model.diffusion_model."
_VAE = "first_stage_model."
_TEXT = "cond_stage_model.transformer."

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def _unet(blocks: int, layers: int) -> Iterator[tuple[str, str]]:
    """Prefixes of diffusers' names and of the original ones, of a UNet of so many blocks."""
    yield "time_embedding.linear_1", "time_embed.0"
    yield "time_embedding.linear_2", "time_embed.2"
    yield "conv_in", "input_blocks.0.0"
    yield "conv_norm_out", "out.0"
    yield "conv_out", "out.2"
    for block in range(blocks):
        for layer in range(layers):
            place = block * (layers + 1) + layer + 1
            yield f"down_blocks.{block}.resnets.{layer}", f"input_blocks.{place}.0"
            yield f"down_blocks.{block}.attentions.{layer}", f"input_blocks.{place}.1"
        place = (block + 1) * (layers + 1)
        yield f"down_blocks.{block}.downsamplers.0.conv", f"input_blocks.{place}.0.op"
        for layer in range(layers + 1):
            place = block * (layers + 1) + layer
            yield f"up_blocks.{block}.resnets.{layer}", f"output_blocks.{place}.0"
            yield f"up_blocks.{block}.attentions.{layer}", f"output_blocks.{place}.1"
        place, number = block * (layers + 1) + layers, 1 if block == 0 else 2
        yield f"up_blocks.{block}.upsamplers.0.conv", f"output_blocks.{place}.{number}.conv"
    yield "mid_block.resnets.0", "middle_block.0"
    yield "mid_block.attentions.0", "middle_block.1"
    yield "mid_block.resnets.1", "middle_block.2"


def _vae(blocks: int) -> Iterator[tuple[str, str]]:
    for half in ("encoder", "decoder"):
        yield f"{half}.conv_norm_out", f"{half}.norm_out"
        for number in (0, 1):
            yield f"{half}.mid_block.resnets.{number}", f"{half}.mid.block_{number + 1}"
        yield f"{half}.mid_block.attentions.0", f"{half}.mid.attn_1"
    for block in range(blocks):
        up = blocks - 1 - block
        for layer in range(3):
            yield (
                f"encoder.down_blocks.{block}.resnets.{layer}",
                f"encoder.down.{block}.block.{layer}",
            )
            yield f"decoder.up_blocks.{block}.resnets.{layer}", f"decoder.up.{up}.block.{layer}"
        yield f"encoder.down_blocks.{block}.downsamplers.0", f"encoder.down.{block}.downsample"
        yield f"decoder.up_blocks.{block}.upsamplers.0", f"decoder.up.{up}.upsample"


def _renamed(name: str, prefixes: dict[str, str], inner: dict[str, str]) -> str:
    for ours in sorted(prefixes, key=len, reverse=True):
        if name.startswith(f"{ours}."):
            rest = name.removeprefix(f"{ours}.")
            for part, theirs in inner.items():
                if rest.startswith(f"{part}."):
                    rest = theirs + rest.removeprefix(part)
                    break
            return f"{prefixes[ours]}.{rest}"
    return name


def one_file(checkpoint: Path, file: Path, blocks: int = 2, layers: int = 1) -> Path:
    """Write the checkpoint of `checkpoint`, in diffusers' layout, into one file."""
    found = {}
    unet = dict(_unet(blocks, layers))
    for name, tensor in load_file(next((checkpoint / "unet").glob("*.safetensors"))).items():
        inner = _RESNET if ".resnets." in name else {}
        found[_UNET + _renamed(name, unet, inner)] = tensor
    vae = dict(_vae(blocks))
    for name, tensor in load_file(next((checkpoint / "vae").glob("*.safetensors"))).items():
        attention = "attentions.0" in name
        inner = _ATTENTION if attention else {"conv_shortcut": "nin_shortcut"}
        theirs = _renamed(name, vae, inner)
        linear = attention and name.endswith("weight") and "norm" not in name
        found[_VAE + theirs] = tensor[:, :, None, None].contiguous() if linear else tensor
    for name, tensor in load_file(
        next((checkpoint / "text_encoder").glob("*.safetensors"))
    ).items():
        plain = name if name.startswith("text_model.") else f"text_model.{name}"
        found[_TEXT + plain] = tensor
    save_file(found, file)
    return file
