"""PhotoMaker-V2 beside SDXL at the published sizes, on the meta device: shapes meet."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mm_model.nn.identity.lora import _changes
from mm_model.nn.identity.photomaker import DROPPED_KEYS, meta_parts
from mm_model.nn.identity.stacked import SdxlSide, StackedIdentity, encoder_of, sizes_of
from mm_model.nn.magic_mirror.presets import CLIP_VIT_L14, ID_PERCEIVER_V2

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="L")

# As the configurations of stable-diffusion-xl-base-1.0 say.
UNET: dict[str, Any] = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
SDXL_UNET_PARAMETERS = 2_567_463_684
TEXT_1 = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
TEXT_2 = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
RANK = 64


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        return UNet2DConditionModel(**UNET)


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """The shapes of `id_encoder` as published."""
    vision, tau_id = meta_parts(CLIP_VIT_L14, ID_PERCEIVER_V2)
    with torch.device("meta"):
        side = SdxlSide(1024, 2048, (768, 1280))
    state = {f"vision_model.{name}": value for name, value in vision.state_dict().items()}
    state |= {f"qformer_perceiver.{name}": value for name, value in tau_id.state_dict().items()}
    return state | dict(side.state_dict())


def test_the_published_names_and_sizes_are_read_off_the_file(
    published: dict[str, torch.Tensor],
) -> None:
    assert len(published) == 463
    assert sum(value.numel() for value in published.values()) == 543_395_840
    assert set(DROPPED_KEYS) <= set(published)
    clip, perceiver = sizes_of(published, Path("photomaker-v2.bin"))
    assert clip == dict(CLIP_VIT_L14)
    assert perceiver == ID_PERCEIVER_V2


def test_a_sentence_of_both_encoders_takes_the_identity_and_feeds_the_unet(
    published: dict[str, torch.Tensor], unet: nn.Module
) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    assert sum(value.numel() for value in unet.parameters()) == SDXL_UNET_PARAMETERS
    encoder = encoder_of(published, "photomaker-v2.bin")
    with torch.device("meta"):
        identity = StackedIdentity(encoder, SdxlSide(1024, 2048, (768, 1280)))
        ids = torch.empty(1, 77, dtype=torch.long)
        first = CLIPTextModel(CLIPTextConfig(**TEXT_1))(ids, output_hidden_states=True)
        second = CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2))(
            ids, output_hidden_states=True
        )
        words = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        stacked = identity(words, 5, torch.empty(4, 3, 224, 224), torch.empty(4, 512))
        assert stacked.shape == words.shape == (1, 77, 2048)
        known = {"text_embeds": second[0], "time_ids": torch.empty(1, 6)}
        noise = unet(torch.empty(1, 4, 128, 128), 1, stacked, added_cond_kwargs=known).sample
    assert noise.shape == (1, 4, 128, 128)


def test_a_lora_of_the_published_rank_finds_every_attention_of_sdxl(unet: nn.Module) -> None:
    """70 blocks with two attentions of four projections each."""
    state = {}
    with torch.device("meta"):
        for name, module in unet.named_modules():
            if ".attn" in name and isinstance(module, nn.Linear):
                out, into = module.weight.shape
                state[f"{name}.lora_A.weight"] = torch.empty(RANK, into)
                state[f"{name}.lora_B.weight"] = torch.empty(out, RANK)
    assert len(_changes("unet", unet, state, Path("photomaker-v2.bin"))) == 70 * 2 * 4
