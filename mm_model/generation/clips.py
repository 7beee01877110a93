"""Generating clips for people: the pipeline class, in batches, with one seed a clip.

Training's pictures, and every method of `mm_model.methods` that samples by the pipeline: evaluation
and serving alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mm_model.generation.references import batch_references, inputs_of
from mm_model.nn.identity.portrait import Photograph
from mm_model.nn.identity.subject import clean_prompt
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.injection.port import IdentityInjection
from mm_model.progress import OnStep
from mm_model.settings import ModelSettings

if TYPE_CHECKING:
    from mm_model.generation.backbone import Backbone
    from mm_model.generation.pipeline import MagicMirrorPipeline

_PIXELS = 1 << 24
"""Pixels that pass the VAE at once: about 49 frames at 480x720."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to sample: solver steps, guidance and its mode, and how many clips at most at once.

    gamma: correlation of the noise of neighbouring latent frames, 0..1 (Magic-Me, section 4.1).
    """

    steps: int
    guidance: float
    face_guidance: str
    batch_size: int = 7
    gamma: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """Frames of a clip and pixels of a frame."""

    num_frames: int
    height: int
    width: int

    @classmethod
    def of(cls, sizes: ModelSettings, num_frames: int | None = None) -> "Size":
        """The size that a profile trains at, with `num_frames` frames where they are given."""
        frames = sizes.num_frames if num_frames is None else num_frames
        return cls(num_frames=frames, height=sizes.height, width=sizes.width)


def together(size: Size, most: int) -> int:
    """How many samples to encode or generate at once: `most`, or fewer where they are large."""
    return max(1, min(most, _PIXELS // (size.num_frames * size.height * size.width)))


def pipeline_of(backbone: "Backbone", adapter: IdentityInjection | None) -> "MagicMirrorPipeline":
    """The pipeline over an already loaded backbone; its modules are shared, not copied."""
    from mm_model.generation.pipeline import MagicMirrorPipeline

    pipe = MagicMirrorPipeline(
        tokenizer=backbone.tokenizer,
        text_encoder=backbone.text_encoder,
        vae=backbone.vae,
        transformer=backbone.transformer,
        scheduler=backbone.scheduler,
        identity_encoder=backbone.identity_encoder,
        adapter=adapter,
    )
    pipe.samples_on = backbone.device
    pipe.set_progress_bar_config(disable=True)
    return pipe


def features_of(
    backbone: "Backbone", subjects: Sequence[Sequence[Photograph]], margin: float | None
) -> IdentityFeatures:
    """Frozen features `[B,R,...]` of the references of B subjects, by the adapter's `margin`."""
    encoder = backbone.identity_encoder
    inputs = [inputs_of(pictures, margin, encoder.image_size) for pictures in subjects]
    pixels, raw, mask = batch_references(inputs, lambda aligned: encoder.embed(aligned))
    return encoder.features(pixels, raw, mask).to(backbone.device)


@torch.no_grad()
def generate(
    pipe: "MagicMirrorPipeline",
    prompts: Sequence[str],
    features: IdentityFeatures | None,
    seeds: Sequence[int],
    *,
    size: Size,
    sampling: Sampling,
    negative_prompt: str | None = None,
    on_step: OnStep | None = None,
) -> np.ndarray:
    """Clips uint8 `[B,F,H,W,3]`; row b depends on its own prompt, references and seed alone.

    Without `features` the plain backbone answers the same prompts from the same noise. All clips
    that are compared have the same text length and the same decoder. `on_step` counts the steps of
    all batches.
    """
    clips = []
    step = together(size, sampling.batch_size)
    total = -(-len(prompts) // step) * sampling.steps
    for start in range(0, len(prompts), step):
        rows = slice(start, start + step)
        identity = None
        if features is not None:
            identity = pipe.adapter.encode_identity(rows_of(features, rows))
        latents = pipe(
            prompt=[text if identity else clean_prompt(text) for text in prompts[rows]],
            negative_prompt=negative_prompt,
            identity=identity,
            num_frames=size.num_frames,
            height=size.height,
            width=size.width,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            face_guidance=sampling.face_guidance,
            noise_prior_gamma=sampling.gamma,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            max_sequence_length=pipe.transformer.config.max_text_seq_length,
            output_type="latent",
            return_dict=False,
            callback_on_step_end=telling(on_step, start // step * sampling.steps, total),
        )[0]
        frames = np.nan_to_num(np.asarray(pipe.to_frames(latents))).clip(0, 1)
        clips.append((frames * 255).round().astype(np.uint8))
    return np.concatenate(clips)


def telling(on_step: OnStep | None, done: int, total: int) -> Callable[..., dict] | None:
    """`on_step` in the form in which the pipeline tells of a step."""
    if on_step is None:
        return None

    def told(_pipe: Any, index: int, _timestep: Any, tensors: dict) -> dict:
        on_step(done + index + 1, total)
        return tensors

    return told


def rows_of(features: IdentityFeatures, rows: slice) -> IdentityFeatures:
    """The features of some rows."""

    def part(x: Tensor | None) -> Tensor | None:
        return x[rows] if x is not None else None

    return IdentityFeatures(
        features.x_id[rows],
        features.clip_tokens[rows],
        features.mask[rows],
        part(features.embedding),
    )
