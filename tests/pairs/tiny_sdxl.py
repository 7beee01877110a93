"""A small SDXL checkpoint and PhotoMaker-V2 file of random weights in the published layout.

Every part is of the real class and saved by its own `save_pretrained`; widths are small, names,
kinds of layers and the LoRA's rank (64 published, 4 here) are stated once.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mm_model.nn.identity.photomaker import meta_parts
from mm_model.nn.identity.stacked import SdxlSide

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 64,
    "max_position_embeddings": 77,
}
CLIP = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "patch_size": 14,
    "image_size": 28,
    "projection_dim": 24,
}
WIDTH, RANK = 128, 4
UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "attention_head_dim": (1, 2),
    "transformer_layers_per_block": (1, 1),
    "cross_attention_dim": WIDTH,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 64 + 6 * 8,
    "use_linear_projection": True,
    "norm_num_groups": 8,
}
WORDS = (
    "a photo of the man woman person boy girl img in at on with and by light window looking "
    "smiling garden street studio portrait close soft evening morning coat shirt"
).split()


def tokenizer(pad: str) -> Any:
    """A CLIP tokenizer that knows `WORDS` whole and spells everything else."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + n) for n in range(68)]
    vocabulary = [*letters, *(letter + "</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            pair, pieces = (pieces[0], pieces[1]), [pieces[0] + pieces[1], *pieces[2:]]
            if pieces[0] not in vocabulary:
                vocabulary.append(pieces[0])
                merges.append(pair)
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    table = {token: number for number, token in enumerate(vocabulary)}
    return CLIPTokenizer(vocab=table, merges=merges, pad_token=pad, model_max_length=77)


def checkpoint(folder: Path, seed: int = 0) -> Path:
    """SDXL in miniature, saved part by part as diffusers does."""
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    first, second = tokenizer("<|endoftext|>"), tokenizer("!")
    ends = {"bos_token_id": first.bos_token_id, "eos_token_id": first.eos_token_id}
    config = CLIPTextConfig(vocab_size=len(first), pad_token_id=1, **ends, **TEXT)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipe = StableDiffusionXLPipeline(
            vae=AutoencoderKL(
                block_out_channels=(8, 8),
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                latent_channels=4,
                norm_num_groups=4,
                sample_size=64,
                scaling_factor=0.13025,
            ),
            text_encoder=CLIPTextModel(config),
            text_encoder_2=CLIPTextModelWithProjection(config),
            tokenizer=first,
            tokenizer_2=second,
            unet=UNet2DConditionModel(**UNET),
            scheduler=EulerDiscreteScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
            ),
            add_watermarker=False,
        )
    pipe.save_pretrained(str(folder), safe_serialization=True)
    return folder


def id_encoder(face_width: int, seed: int = 1) -> dict[str, Tensor]:
    """Random tensors under all names of the published `id_encoder`."""
    perceiver = {
        "embedding_dim": face_width,
        "dim": WIDTH,
        "depth": 4,
        "heads": WIDTH // 128,
        "head_dim": 128,
        "context_dim": CLIP["hidden_size"],
    }
    vision, tau_id = meta_parts(CLIP, perceiver)
    with torch.device("meta"):
        side = SdxlSide(CLIP["hidden_size"], WIDTH, (24, 40))
    shapes = {f"vision_model.{name}": value for name, value in vision.state_dict().items()}
    shapes |= {f"qformer_perceiver.{name}": value for name, value in tau_id.state_dict().items()}
    shapes |= dict(side.state_dict())
    dice = torch.Generator().manual_seed(seed)
    found = {}
    for name, value in shapes.items():
        drawn = torch.randn(value.shape, generator=dice)
        wide = value.dim() > 1
        found[name] = (
            drawn / value.shape[-1] ** 0.5 if wide else drawn / 4 + name.endswith("weight")
        )
    return found


def lora(folder: Path, seed: int = 2) -> dict[str, Tensor]:
    """A LoRA on all attention projections of the UNet of `folder`, as diffusers named them."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(str(folder / "unet"))
    dice = torch.Generator().manual_seed(seed)
    found = {}
    for name, module in unet.named_modules():
        place, _, last = name.removesuffix(".0").rpartition(".")
        if place.endswith(("attn1", "attn2")) and last in ("to_q", "to_k", "to_v", "to_out"):
            if last == "to_out" and not name.endswith(".0"):
                continue
            out, into = module.weight.shape
            stem = f"unet.{place}.processor.{last}_lora"
            found[f"{stem}.down.weight"] = torch.randn(RANK, into, generator=dice)
            found[f"{stem}.up.weight"] = torch.randn(out, RANK, generator=dice)
    return found


def photomaker(folder: Path, face_width: int, kind: str = "bin", seed: int = 1) -> Path:
    """PhotoMaker-V2's file beside the checkpoint of `folder`, published or converted."""
    parts = {
        "id_encoder": id_encoder(face_width, seed),
        "lora_weights": lora(folder / "sdxl", seed + 1),
    }
    path = folder / f"photomaker-v2.{kind}"
    if kind == "bin":
        torch.save(parts, path)
    else:
        flat = {f"{part}.{name}": v for part in parts for name, v in parts[part].items()}
        save_file(flat, path)
    return path


def shelf(folder: Path, face_width: int, kind: str = "bin", seed: int = 0) -> Path:
    """A whole synthesiser in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint(folder / "sdxl", seed)
    photomaker(folder, face_width, kind, seed + 1)
    return folder


def index(folder: Path) -> dict[str, Any]:
    """What `model_index.json` of the checkpoint says."""
    return json.loads((folder / "sdxl" / "model_index.json").read_text())
