"""`AutoencoderKLCogVideoX` in two dimensions: the same weights and values, faster on CPUs.

Frames ride in the batch dimension. With one frame, a causal 3-D convolution sees three copies of
it, so it equals a 2-D convolution with the kernel summed over time; with more, it equals the sum,
shifted in time, of a 2-D convolution with each of the three kernels. On CPUs pictures gain a factor
of more than two; clips gain in training only. `encode_posterior`, `encode_mode` and `decode_best`
choose the faster way; the rest refuses frame counts that need the model's own chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mm_model.errors import UserError
from mm_model.nn.offload import is_offloaded

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX
    from torch import Tensor, nn

_LARGEST = 9
"""Frames of the encoder's first chunk (the decoder's has 3 latents): no chunk ends within it."""
_LAST = torch.channels_last


def encode_posterior(vae: AutoencoderKLCogVideoX, video: Tensor) -> tuple[Tensor, Tensor]:
    """Unscaled mean and log-variance `[B,C,t,h,w]` of `[B,3,T,H,W]`, by the faster way.

    The log-variance lies in [-30, 20], as diffusers bounds it before it samples.
    """
    if _folding_wins(vae, video):
        mean, logvar = encode_moments(vae, video).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)
    found = vae.encode(video).latent_dist
    return found.mean, found.logvar


def encode_mode(vae: AutoencoderKLCogVideoX, video: Tensor) -> Tensor:
    """Unscaled posterior mode `[B,C,t,h,w]` of `[B,3,T,H,W]`, by the faster way."""
    return encode_posterior(vae, video)[0]


def decode_best(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Frames `[B,3,T,H,W]` of unscaled latents `[B,C,t,h,w]`, by the faster way."""
    return decode(vae, latents) if _folding_wins(vae, latents) else vae.decode(latents).sample


def _folding_wins(vae: AutoencoderKLCogVideoX, x: Tensor) -> bool:
    """Single frames on CPUs; a VAE that saves memory (tiles, slices, hooks) goes its own way."""
    saves = vae.use_tiling or vae.use_slicing or is_offloaded(vae)
    return x.device.type == "cpu" and x.shape[2] == 1 and not saves


def encode_moments(vae: AutoencoderKLCogVideoX, video: Tensor) -> Tensor:
    """Posterior moments: [B, 3, T, H, W] in [-1, 1] -> [B, 2C, (T-1)/4+1, H/8, W/8].

    Equals `vae.encode(video).latent_dist.parameters` up to rounding; T is 1 or 9.
    """
    batch, _, frames = video.shape[:3]
    if frames not in (1, _LARGEST):
        raise UserError(f"the folded VAE encodes 1 or {_LARGEST} frames, not {frames}.")
    encoder = vae.encoder
    h = _conv(encoder.conv_in, _flatten(video), frames)
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            h = _resnet(resnet, h, frames)
        for down in block.downsamplers or ():
            if down.compress_time and frames > 1:
                h, frames = _halve_time(h, batch, frames)
            h = down.conv(F.pad(h, (0, 1, 0, 1)))
    for resnet in encoder.mid_block.resnets:
        h = _resnet(resnet, h, frames)
    h = _conv(encoder.conv_out, F.silu(_norm(encoder.norm_out, h, frames)), frames)
    return _unflatten(h, batch)


def decode(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Frames of unscaled latents: [B, C, t, h, w] -> [B, 3, 4(t-1)+1, 8h, 8w]; t is 1 or 3.

    Equals `vae.decode(latents).sample` up to rounding.
    """
    batch, _, frames = latents.shape[:3]
    if frames not in (1, 3):
        raise UserError(f"the folded VAE decodes 1 or 3 latent frames, not {frames}.")
    z = _Latents(_flatten(latents), batch, frames)
    decoder = vae.decoder
    h = _conv(decoder.conv_in, z.values, frames)
    for resnet in decoder.mid_block.resnets:
        h = _resnet(resnet, h, frames, z)
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            h = _resnet(resnet, h, frames, z)
        for up in block.upsamplers or ():
            if up.compress_time and frames > 1:
                h, frames = _repeat_time(h, batch, frames, 2 * frames - 1), 2 * frames - 1
            h = up.conv(F.interpolate(h, scale_factor=2.0))
    h = F.silu(_spatial_norm(decoder.norm_out, h, frames, z))
    return _unflatten(_conv(decoder.conv_out, h, frames), batch)


class _Latents:
    """The decoder's latents, frames in the batch, for the norms that are conditioned on them."""

    def __init__(self, values: Tensor, batch: int, frames: int) -> None:
        self.values, self.batch, self.frames = values, batch, frames

    def spread(self, conv: nn.Module, frames: int) -> Tensor:
        """A 1x1 map of the latents `[N,C,h,1,w,1]`, for `frames`: it commutes with nearest."""
        mapped = _conv(conv, self.values, self.frames)
        if frames != self.frames:
            mapped = _repeat_time(mapped, self.batch, self.frames, frames)
        return mapped[:, :, :, None, :, None]


def _flatten(video: Tensor) -> Tensor:
    """[B, C, T, H, W] -> [B*T, C, H, W], channels last in memory."""
    return video.movedim(2, 1).flatten(0, 1).contiguous(memory_format=_LAST)


def _unflatten(x: Tensor, batch: int) -> Tensor:
    return x.unflatten(0, (batch, -1)).movedim(1, 2)


def _conv(module: nn.Module, x: Tensor, frames: int) -> Tensor:
    """A causal 3-D convolution on [B*T, C, H, W]; the first frame stands for the time before it."""
    conv = module.conv if hasattr(module, "conv") else module
    weight, padding = conv.weight, conv.padding[1:]
    taps = weight.shape[2]
    if taps == 1:
        return F.conv2d(x, weight[:, :, 0], conv.bias, padding=padding)
    if frames == 1:
        return F.conv2d(x, weight.sum(dim=2), conv.bias, padding=padding)
    kernel = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)  # the taps' outputs beside each other
    out = F.conv2d(x, kernel, padding=padding)
    clips = out.unflatten(0, (-1, frames)).unflatten(2, (taps, -1))
    total = clips[:, :, taps - 1]
    if conv.bias is not None:
        total = total + conv.bias[:, None, None]
    for back in range(1, taps):
        tap = clips[:, :, taps - 1 - back]
        total = total + torch.cat([tap[:, :1]] * back + [tap[:, :-back]], dim=1)
    return total.flatten(0, 1)


def _halve_time(x: Tensor, batch: int, frames: int) -> tuple[Tensor, int]:
    """Keep the first frame, average the others in pairs."""
    clips = x.unflatten(0, (batch, frames))
    pairs = clips[:, 1:].unflatten(1, (-1, 2)).mean(dim=2)
    out = torch.cat([clips[:, :1], pairs], dim=1)
    return out.flatten(0, 1), out.shape[1]


def _repeat_time(x: Tensor, batch: int, frames: int, target: int) -> Tensor:
    """Keep the first frame, repeat the others evenly until there are `target` frames."""
    clips = x.unflatten(0, (batch, frames))
    times = (target - 1) // (frames - 1)
    rest = clips[:, 1:].repeat_interleave(times, dim=1)
    return torch.cat([clips[:, :1], rest], dim=1).flatten(0, 1)


def _norm(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """Group normalisation over all frames of a clip together."""
    if frames == 1:
        return norm(x)
    total, channels, height, width = x.shape
    tall = x.permute(0, 2, 3, 1).reshape(total // frames, frames * height, width, channels)
    out = norm(tall.permute(0, 3, 1, 2))
    return out.permute(0, 2, 3, 1).reshape(total, height, width, channels).permute(0, 3, 1, 2)


def _spatial_norm(norm: nn.Module, x: Tensor, frames: int, latents: _Latents) -> Tensor:
    scale, shift = latents.spread(norm.conv_y, frames), latents.spread(norm.conv_b, frames)
    height, width = scale.shape[2], scale.shape[4]
    cells = _norm(norm.norm_layer, x, frames).unflatten(3, (width, -1)).unflatten(2, (height, -1))
    return torch.addcmul(shift, cells, scale).flatten(4, 5).flatten(2, 3)


def _resnet(block: nn.Module, x: Tensor, frames: int, latents: _Latents | None = None) -> Tensor:
    def norm(layer: nn.Module, h: Tensor) -> Tensor:
        if latents is None:
            return _norm(layer, h, frames)
        return _spatial_norm(layer, h, frames, latents)

    h = _conv(block.conv1, F.silu(norm(block.norm1, x)), frames)
    h = _conv(block.conv2, F.silu(norm(block.norm2, h)), frames)
    same = block.in_channels == block.out_channels
    return h + (x if same else _conv(block.conv_shortcut, x, frames))
