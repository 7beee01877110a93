"""Pipelines of the tiny sizes for tests of the diffusers interface: ours, the stock one, a call."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import CogVideoXPipeline

from mm_model.diffusion.schedule import build_scheduler
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.generation.references import IdentityInput
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from tests.nn import tiny

PROMPT, PLAIN = "a man img walks", "a man walks"
CALL: dict[str, Any] = {"num_frames": 9, "num_inference_steps": 3, "output_type": "latent"}


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def subject(count: int = 2, seed: int = 0) -> IdentityInput:
    """One person's references."""
    g = torch.Generator().manual_seed(seed)
    return IdentityInput(
        torch.randn(count, 3, 28, 28, generator=g), torch.rand(count, 3, 112, 112, generator=g)
    )


def parts(kind: str = "ddim", **changes: Any) -> dict[str, Any]:
    """The stock pipeline's components by name."""
    return {
        "tokenizer": tiny.tokenizer(),
        "text_encoder": tiny.text_encoder(),
        "vae": tiny.vae(),
        "transformer": tiny.base_transformer(**changes),
        "scheduler": build_scheduler(kind),
    }


def stock(kind: str = "ddim", **changes: Any) -> CogVideoXPipeline:
    pipe = CogVideoXPipeline(**parts(kind, **changes))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def plain(kind: str = "ddim", **changes: Any) -> MagicMirrorPipeline:
    """Ours without adapter and identity encoder."""
    pipe = MagicMirrorPipeline(**parts(kind, **changes))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def plain_with(**given: Any) -> MagicMirrorPipeline:
    """Ours with these parts beside the usual ones."""
    pipe = MagicMirrorPipeline(**parts() | given)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def mirror(kind: str = "ddim", **overrides: Any) -> MagicMirrorPipeline:
    """Ours with an adapter whose every parameter is off its neutral start."""
    encoder, transformer = tiny.identity_encoder(), tiny.transformer()
    config = adapter_config(
        "tiny",
        transformer.config,
        encoder.clip_dim,
        encoder.id_dim,
        recognizer_sha256=encoder.recognizer_sha256,
        **overrides,
    )
    adapter = MagicMirrorAdapter.create(transformer, config)
    tiny.shake(adapter, scale=0.05)
    given = parts(kind) | {"transformer": transformer}
    pipe = MagicMirrorPipeline(**given, identity_encoder=encoder, adapter=adapter.eval())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def clip(pipe: Any, prompt: Any = PROMPT, **asked: Any) -> Any:
    """Frames, or latents, of a short call with a fixed seed."""
    return pipe(prompt, **{"generator": seeded(), **CALL, **asked}).frames
