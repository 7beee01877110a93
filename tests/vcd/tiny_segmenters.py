"""Small Grounding DINO and SAM of random weights, saved as published ones are."""

from pathlib import Path
from typing import Any

import torch

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "cup", "dog", "man", "a")
SIDE = 64


def _saved(folder: Path, model: Any, *parts: Any) -> Path:
    for part in (model, *parts):
        part.save_pretrained(folder)
    return folder


def detector(folder: Path) -> Path:
    """Grounding DINO in miniature."""
    import transformers
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )

    swin = transformers.SwinConfig(
        image_size=SIDE,
        window_size=4,
        embed_dim=12,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
        out_indices=[2, 3, 4],
    )
    text = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=swin,
        text_config=text.to_dict(),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=5,
        fusion_dropout=0.0,
        fusion_droppath=0.0,
    )
    tokenizer = transformers.BertTokenizer(vocab={word: n for n, word in enumerate(WORDS)})
    size = {"shortest_edge": SIDE, "longest_edge": 2 * SIDE}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = transformers.GroundingDinoForObjectDetection(config)
    return _saved(folder, model, tokenizer, GroundingDinoImageProcessorPil(size=size))


def sam(folder: Path) -> Path:
    """SAM in miniature."""
    import transformers
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 16,
            "output_channels": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": 8,
            "window_size": 4,
            "global_attn_indexes": [1],
            "mlp_dim": 16,
            "num_pos_feats": 8,
        },
        prompt_encoder_config={
            "hidden_size": 16,
            "image_size": SIDE,
            "patch_size": 8,
            "image_embedding_size": SIDE // 8,
        },
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 16,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )
    processor = SamImageProcessorPil(
        size={"longest_edge": SIDE},
        pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": SIDE // 2},
        mask_pad_size={"height": SIDE // 2, "width": SIDE // 2},
    )
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = transformers.SamModel(config)
    return _saved(folder, model, processor)
