"""Generating clips for people: the pipeline class, in batches, with one seed a clip.

Training pictures, evaluation and nothing else go through here; serving calls the same pipeline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mm_model.generation.backbone import Backbone
from mm_model.generation.references import batch_references, inputs_of
from mm_model.nn.identity.portrait import Seen
from mm_model.nn.identity.prompt import clean_prompt
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.condition import IdentityFeatures
from mm_model.settings import ModelSettings

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline

_PIXELS = 1 << 24
"""Pixels that pass the VAE at once: about 49 frames at 480x720."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to sample: solver steps, guidance and its mode, and how many clips at most at once."""

    steps: int
    guidance: float
    face_guidance: str
    batch_size: int = 7


def together(sizes: ModelSettings, num_frames: int, most: int) -> int:
    """How many samples to encode or generate at once: `most`, or fewer where they are large."""
    return max(1, min(most, _PIXELS // (num_frames * sizes.height * sizes.width)))


def pipeline_of(backbone: Backbone, adapter: MagicMirrorAdapter | None) -> "MagicMirrorPipeline":
    """The pipeline over an already loaded backbone; its modules are shared, not copied."""
    from mm_model.generation.pipeline import MagicMirrorPipeline

    pipe = MagicMirrorPipeline(
        backbone.tokenizer, backbone.text_encoder, backbone.vae, backbone.transformer,
        backbone.scheduler, backbone.identity_encoder, adapter,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def features_of(
    backbone: Backbone, subjects: Sequence[Sequence[Seen]], margin: float | None
) -> IdentityFeatures:
    """Frozen features `[B,R,...]` of the references of B subjects, by the adapter's `margin`."""
    encoder = backbone.identity_encoder
    inputs = [inputs_of(pictures, margin, encoder.image_size) for pictures in subjects]
    pixels, raw, mask = batch_references(inputs, lambda aligned: encoder.embed(aligned))
    return encoder.features(pixels, raw, mask)


@torch.no_grad()
def generate(
    pipe: "MagicMirrorPipeline",
    prompts: Sequence[str],
    features: IdentityFeatures | None,
    seeds: Sequence[int],
    sizes: ModelSettings,
    sampling: Sampling,
    num_frames: int,
) -> np.ndarray:
    """Clips uint8 `[B,F,H,W,3]`; row b depends on its own prompt, references and seed alone.

    Without `features` the plain backbone answers the same prompts from the same noise. All clips
    that are compared have the same text length and the same decoder.
    """
    clips = []
    step = together(sizes, num_frames, sampling.batch_size)
    for start in range(0, len(prompts), step):
        rows = slice(start, start + step)
        identity = None
        if features is not None:
            identity = pipe.adapter.encode_identity(_rows(features, rows))
        latents = pipe(
            prompt=[text if identity else clean_prompt(text) for text in prompts[rows]],
            identity=identity,
            num_frames=num_frames,
            height=sizes.height,
            width=sizes.width,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            face_guidance=sampling.face_guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            max_sequence_length=pipe.transformer.config.max_text_seq_length,
            output_type="latent",
            return_dict=False,
        )[0]
        clips.append((np.asarray(pipe.to_frames(latents)) * 255).round().astype(np.uint8))
    return np.concatenate(clips)


def _rows(features: IdentityFeatures, rows: slice) -> IdentityFeatures:
    def part(x: Tensor | None) -> Tensor | None:
        return x[rows] if x is not None else None

    return IdentityFeatures(
        features.x_id[rows], features.clip_tokens[rows], features.mask[rows],
        part(features.embedding),
    )  # fmt: skip
