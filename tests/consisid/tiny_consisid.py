"""A small ConsisID checkpoint of random weights, laid out as published, and stand-in faces."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mm_model.consisid.faces import ConsisFace
from tests.nn import tiny

SIDE = 32
COND, HIDDEN, TOKENS, SCALES = 20, 16, 5, 5
"""Widths of what the face encoders say, small."""


def _transformer(seed: int) -> Any:
    from diffusers import ConsisIDTransformer3DModel

    with tiny.forked(seed):
        return ConsisIDTransformer3DModel(
            num_attention_heads=3,
            attention_head_dim=16,
            in_channels=16,
            out_channels=8,
            time_embed_dim=32,
            text_embed_dim=32,
            num_layers=2,
            sample_width=SIDE // 8,
            sample_height=SIDE // 8,
            sample_frames=9,
            max_text_seq_length=16,
            use_rotary_positional_embeddings=True,
            is_train_face=True,
            is_kps=True,
            cross_attn_dim_head=8,
            cross_attn_num_heads=2,
            LFE_id_dim=COND,
            LFE_vit_dim=HIDDEN,
            LFE_depth=SCALES,
            LFE_dim_head=8,
            LFE_num_heads=2,
            LFE_num_querie=4,
            LFE_output_dim=32,
            LFE_num_scale=SCALES,
        )


def checkpoint(folder: Path, seed: int = 0) -> Path:
    """Saved by the library's own pipeline; the folder of face encoders is there and empty."""
    from diffusers import CogVideoXDPMScheduler, ConsisIDPipeline

    ConsisIDPipeline(
        tokenizer=tiny.tokenizer(),
        text_encoder=tiny.text_encoder(seed),
        vae=tiny.vae(seed),
        transformer=_transformer(seed),
        scheduler=CogVideoXDPMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            snr_shift_scale=1.0,
            timestep_spacing="trailing",
            clip_sample=False,
            set_alpha_to_one=True,
        ),
    ).save_pretrained(str(folder), safe_serialization=True)
    (folder / "face_encoder").mkdir()
    (folder / "face_encoder" / "parsing_bisenet.pth").write_bytes(b"small")
    return folder


class StandInFaces:
    """What the published encoders would say, made of the photograph's pixels alone."""

    def __init__(self, *_: Any) -> None:
        self.versions = {"facexlib": "a stand-in"}

    def read(self, pixels: np.ndarray) -> ConsisFace:
        """Numbers that follow from the pixels."""
        drawn = torch.Generator().manual_seed(int(pixels.sum()) % 2**31)

        def numbers(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=drawn)

        return ConsisFace(
            numbers(1, COND),
            [numbers(1, TOKENS, HIDDEN) for _ in range(SCALES)],
            Image.fromarray(pixels).resize((64, 64)),
            np.array([[20, 24], [44, 24], [32, 36], [24, 48], [40, 48]], float),
        )
