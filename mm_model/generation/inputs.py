"""What a call of the pipeline begins with: noise and texts, in the shapes of its clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mm_model.diffusion.frames import latent_frame_count
from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError
from mm_model.generation.asked import Asked, text_length
from mm_model.nn.injection.condition import IdentityCondition

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline


def noise(pipe: MagicMirrorPipeline, asked: Asked, rows: int, size: tuple[int, int, int]) -> Tensor:
    """Starting noise `[B,t,C,h,w]` by the stock draw, correlated over frames when gamma > 0.

    size: frames, height and width of the clip.

    Raises:
        UserError: given latents have another shape.
    """
    config, dtype = pipe.transformer.config, pipe.transformer.dtype
    frames, height, width = size
    drawn = pipe.prepare_latents(
        batch_size=rows,
        num_channels_latents=config.in_channels,
        num_frames=frames,
        height=height,
        width=width,
        dtype=dtype,
        device=pipe._execution_device,
        generator=asked.generator,
        latents=asked.latents,
    )
    factor = pipe.vae_scale_factor_spatial
    shape = [rows, latent_frame_count(frames), config.in_channels, height // factor]
    shape.append(width // factor)
    if list(drawn.shape) != shape:
        raise UserError(f"latents are {list(drawn.shape)}, but what is asked for has {shape}.")
    return correlate_frames(drawn.to(dtype), asked.noise_prior_gamma)


def texts(
    pipe: MagicMirrorPipeline, asked: Asked, identity: IdentityCondition
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Text `[B,L,D]` with room for the identity, its mask `[B,L]`, and the negative text.

    B counts every clip. One negative text is encoded once, however many prompts there are.
    """
    longest = pipe.transformer.config.max_text_seq_length
    length = text_length(asked.max_sequence_length, longest)
    device, dtype = pipe._execution_device, pipe.transformer.dtype
    if asked.embedded is None:
        plain, mask = pipe.encode_identity_prompt(asked.prompts, identity, length)
    else:
        plain, mask = asked.embedded
        plain, mask = plain.to(device, dtype), mask.to(device, torch.bool)
    negative, count = None, asked.num_videos_per_prompt
    if asked.guided:
        negative = asked.negative_prompt_embeds
        if negative is None:
            without = asked.negative_texts(len(plain))
            negative = pipe._get_t5_prompt_embeds(without, 1, plain.shape[1], device, dtype)
        negative = negative.to(device, dtype).expand(len(plain), -1, -1)
        negative = negative.repeat_interleave(count, dim=0)
    return plain.repeat_interleave(count, 0), mask.repeat_interleave(count, 0), negative
