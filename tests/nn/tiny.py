"""Tiny random backbones for tests: every component of the real classes, built in memory in ms.

Weights are random but seeded through a forked generator, so tests do not disturb each other.
Nothing here is good for anything but checking shapes and arithmetic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.cogvideox.tokenizer import build_tokenizer, build_vocabulary
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel

torch.set_num_threads(1)

TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "in_channels": 8,
    "out_channels": 8,
    "time_embed_dim": 32,
    "text_embed_dim": 32,
    "num_layers": 4,
    "sample_width": 8,
    "sample_height": 8,
    "sample_frames": 9,
    "patch_size": 2,
    "max_text_seq_length": 16,
    "use_rotary_positional_embeddings": True,
}
T5 = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}
CLIP = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "patch_size": 14,
    "image_size": 28,
    "projection_dim": 16,
}
PERCEIVER = {
    "embedding_dim": 16,
    "dim": 32,
    "depth": 2,
    "heads": 2,
    "head_dim": 16,
    "context_dim": 24,
}
VAE: dict[str, Any] = {
    "block_out_channels": (8, 8, 8, 8),
    "latent_channels": 8,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "scaling_factor": 0.7,
    "sample_height": 64,
    "sample_width": 64,
}
WORDS = ("a", "an", "the", "man", "woman", "boy", "girl", "person", "walks", "runs")
WORDS += ("smiles", "sits", "in", "park", "red", "blue", "hat", "and", "waves")
MAX_LENGTH = TRANSFORMER["max_text_seq_length"]


def forked(seed: int) -> Any:
    """Seeded global generator inside, untouched outside: library constructors draw from it."""

    class _Fork:
        def __enter__(self) -> None:
            self.fork = torch.random.fork_rng(devices=[])
            self.fork.__enter__()
            torch.manual_seed(seed)

        def __exit__(self, *args: Any) -> None:
            self.fork.__exit__(*args)

    return _Fork()


def base_transformer(seed: int = 0, **changes: Any) -> Any:
    """A plain diffusers CogVideoX transformer with random weights (modulation biases included)."""
    from diffusers import CogVideoXTransformer3DModel

    with forked(seed):
        return CogVideoXTransformer3DModel(**{**TRANSFORMER, **changes}).eval()


def transformer(seed: int = 0, **changes: Any) -> MagicMirrorTransformer3DModel:
    """The same weights inside our class."""
    return MagicMirrorTransformer3DModel.from_base(base_transformer(seed, **changes))


def with_adapter(
    seed: int = 0, **overrides: Any
) -> tuple[MagicMirrorTransformer3DModel, MagicMirrorAdapter]:
    """Transformer and a fresh tiny adapter on it."""
    model = transformer(seed)
    config = adapter_config(
        "tiny", model.config, CLIP["hidden_size"], PERCEIVER["dim"], face_tokens=4, **overrides
    )
    return model, MagicMirrorAdapter.create(model, config, seed)


def shake(module: torch.nn.Module, seed: int = 1, scale: float = 0.2) -> None:
    """Add noise to every parameter, so that nothing is neutral by its initialisation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)


def text_encoder(seed: int = 0) -> Any:
    """A small T5 encoder."""
    from transformers import T5Config, T5EncoderModel

    with forked(seed):
        return T5EncoderModel(T5Config(vocab_size=len(build_vocabulary(WORDS)), **T5)).eval()


def tokenizer() -> Any:
    """A tokenizer over `WORDS`."""
    return build_tokenizer(build_vocabulary(WORDS), MAX_LENGTH)


def vae(seed: int = 0) -> Any:
    """A small VAE of four stages."""
    from diffusers import AutoencoderKLCogVideoX

    down, up = ("CogVideoXDownBlock3D",) * 4, ("CogVideoXUpBlock3D",) * 4
    with forked(seed):
        return AutoencoderKLCogVideoX(**VAE, down_block_types=down, up_block_types=up).eval()


def recognizer(seed: int = 0) -> FaceRecognizer:
    """A small recogniser with random weights."""
    with forked(seed):
        return FaceRecognizer(
            PERCEIVER["embedding_dim"], (4, 4, 8, 8), (1, 1, 1, 1), stem_stride=2
        ).eval()


def identity_encoder(seed: int = 0) -> IdentityEncoder:
    """Small CLIP + tau_id + recogniser."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    with forked(seed):
        vision = CLIPVisionModel(CLIPVisionConfig(**CLIP))
        perceiver = IdPerceiver(**PERCEIVER)
    return IdentityEncoder(vision, perceiver, PERCEIVER, recognizer(seed))


def features(batch: int = 2, refs: int = 2, seed: int = 0) -> IdentityFeatures:
    """Random identity features of the tiny sizes."""
    g = torch.Generator().manual_seed(seed)
    return IdentityFeatures(
        torch.randn(batch, refs, 2, PERCEIVER["dim"], generator=g),
        torch.randn(batch, refs, 5, CLIP["hidden_size"], generator=g),
        torch.ones(batch, refs, dtype=torch.bool),
    )


def inputs(batch: int = 2, frames: int = 3, seed: int = 0) -> dict[str, Any]:
    """Noisy latents, text embeddings, timesteps and RoPE tables for the tiny transformer."""
    g = torch.Generator().manual_seed(seed)
    latents: Tensor = torch.randn(batch, frames, 8, 8, 8, generator=g)
    return {
        "hidden_states": latents,
        "encoder_hidden_states": torch.randn(batch, MAX_LENGTH, 32, generator=g),
        "timestep": torch.tensor([700, 20, 400, 999])[:batch],
        "image_rotary_emb": rotary_table(TRANSFORMER | {"patch_size_t": None}, frames, 8, 8),
    }
