"""A small Stable Diffusion 1.5 checkpoint and motion module of random weights.

Laid out as published: every part is of the real class and saved by its own `save_pretrained`; only
widths and depths are small.
"""

from pathlib import Path
from typing import Any

import torch

from mm_model.store import digests
from mm_model.store.atomic import write_json
from mm_model.vcd.tokens import IdTokens
from tests.pairs.tiny_sdxl import tokenizer

WIDTH = 32
SIZE = 32
"""Pixels a side that the small UNet is meant for."""


def _unet(widths: tuple[int, int]) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIZE // 2,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=8,
    )


def checkpoint(folder: Path, seed: int = 0, widths: tuple[int, int] = (16, 32)) -> Path:
    """Stable Diffusion 1.5 in miniature, saved as diffusers does."""
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel

    words = tokenizer("<|endoftext|>")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        )
        pipe = StableDiffusionPipeline(
            vae=AutoencoderKL(
                block_out_channels=(8, 8),
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                latent_channels=4,
                norm_num_groups=4,
                sample_size=SIZE,
            ),
            text_encoder=CLIPTextModel(config),
            tokenizer=words,
            unet=_unet(widths),
            scheduler=PNDMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                skip_prk_steps=True,
                steps_offset=1,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipe.save_pretrained(str(folder), safe_serialization=True)
    return folder


def motion(folder: Path, seed: int = 1) -> Path:
    """A motion module for that UNet."""
    from diffusers import MotionAdapter

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        MotionAdapter(
            block_out_channels=(16, 32),
            motion_layers_per_block=1,
            motion_mid_block_layers_per_block=1,
            motion_num_attention_heads=2,
            motion_norm_num_groups=8,
            motion_max_seq_length=16,
        ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def subject(
    folder: Path,
    weights: Path,
    tokens: IdTokens,
    word: str,
    *,
    kind: str = "object",
    consent: str | None = None,
    on_backbone: bool = False,
) -> Path:
    """What learn-subject writes of a subject with these tokens."""
    tokens.save(folder / "tokens.safetensors")
    said = {
        "method": "vcd",
        "name": tokens.placeholder.strip("<>"),
        "kind": kind,
        "word": word,
        "consent": consent,
        "family": "cogvideox" if on_backbone else "stable-diffusion",
        "space": "output" if on_backbone else "input",
        "weights": {"path": str(weights), "sha256": "0"},
        "tokens_sha256": digests.of_file(folder / "tokens.safetensors"),
    }
    write_json(folder / "subject.json", said)
    return folder
