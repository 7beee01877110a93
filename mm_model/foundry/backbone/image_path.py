"""The single-picture path of `AutoencoderKLCogVideoX`, folded to two dimensions.

With one frame, every causal 3-D convolution sees three copies of that frame, so it equals a 2-D convolution
with the kernel summed over time, and the temporal resampling does nothing. Same weights, same values, about
a tenth of the cost on a CPU. It serves training and measurement only and refuses clips: those go
through the model's own methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mm_model.errors import UserError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX
    from torch import Tensor, nn


def encode_moments(vae: AutoencoderKLCogVideoX, pictures: Tensor) -> Tensor:
    """Posterior moments of single pictures: [B, 3, H, W] in [-1, 1] -> [B, 2 * latent_channels, H/8, W/8].

    Equals `vae.encode(pictures[:, :, None]).latent_dist.parameters[:, :, 0]` up to rounding.
    """
    _require_pictures(pictures)
    encoder = vae.encoder
    h = _conv(encoder.conv_in, pictures)
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            h = _resnet(resnet, h)
        for down in block.downsamplers or ():
            h = down.conv(F.pad(h, (0, 1, 0, 1)))
    for resnet in encoder.mid_block.resnets:
        h = _resnet(resnet, h)
    return _conv(encoder.conv_out, F.silu(encoder.norm_out(h)))


def decode(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Pictures of single latent frames: [B, C, h, w] (unscaled) -> [B, 3, 8h, 8w].

    Equals `vae.decode(latents[:, :, None]).sample[:, :, 0]` up to rounding.
    """
    _require_pictures(latents)
    decoder = vae.decoder
    h = _conv(decoder.conv_in, latents)
    for resnet in decoder.mid_block.resnets:
        h = _resnet(resnet, h, latents)
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            h = _resnet(resnet, h, latents)
        for up in block.upsamplers or ():
            h = up.conv(F.interpolate(h, scale_factor=2.0))
    return _conv(decoder.conv_out, F.silu(_spatial_norm(decoder.norm_out, h, latents)))


def _require_pictures(x: Tensor) -> None:
    if x.ndim != 4:
        raise UserError(
            f"the picture path takes [batch, channels, height, width], not {tuple(x.shape)}: "
            "give clips to the model's own encode and decode"
        )


def _conv(module: nn.Module, x: Tensor) -> Tensor:
    """A causal 3-D convolution on one frame: the kernel summed over its time axis."""
    conv = module.conv if hasattr(module, "conv") else module
    weight = conv.weight.sum(dim=2) if conv.weight.shape[2] > 1 else conv.weight[:, :, 0]
    return F.conv2d(x, weight, conv.bias, padding=conv.padding[1:])


def _spatial_norm(norm: nn.Module, x: Tensor, latents: Tensor) -> Tensor:
    """Latent-conditioned normalisation; 1x1 maps commute with nearest upsampling, so they run small."""
    size = x.shape[-2:]
    scale = F.interpolate(_conv(norm.conv_y, latents), size=size)
    shift = F.interpolate(_conv(norm.conv_b, latents), size=size)
    return torch.addcmul(shift, norm.norm_layer(x), scale)


def _resnet(block: nn.Module, x: Tensor, latents: Tensor | None = None) -> Tensor:
    first = block.norm1(x) if latents is None else _spatial_norm(block.norm1, x, latents)
    h = _conv(block.conv1, F.silu(first))
    second = block.norm2(h) if latents is None else _spatial_norm(block.norm2, h, latents)
    h = _conv(block.conv2, F.silu(second))
    return h + (_conv(block.conv_shortcut, x) if block.in_channels != block.out_channels else x)
