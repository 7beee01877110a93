"""The frozen backbone on the profile's device, and the adapter that a training left for it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mm_model.diffusion.schedule import NoiseSchedule
from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.injection import table as injections
from mm_model.nn.injection.model import disable_gradients
from mm_model.nn.injection.port import IdentityInjection
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.settings import RunSettings
from mm_model.settings.device import device_of, is_small


@dataclass(frozen=True)
class Backbone:
    """Everything that stays frozen; all modules in eval mode without gradients."""

    folder: Path
    tokenizer: Any
    text_encoder: Any
    vae: Any
    transformer: MagicMirrorTransformer3DModel
    scheduler: Any
    identity_encoder: IdentityEncoder
    device: torch.device
    dtype: torch.dtype

    @property
    def schedule(self) -> NoiseSchedule:
        """Velocity arithmetic of the scheduler's alpha-bar."""
        return NoiseSchedule.from_scheduler(self.scheduler)

    @property
    def latent_factor(self) -> int:
        """Pixels per latent cell."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def text_length(self) -> int:
        """Number of text tokens."""
        return self.transformer.config.max_text_seq_length


WAITING = ("text_encoder", "identity_encoder")
"""Parts that wait in the machine's memory where the GPU is small: they read a text or a photograph
now and then, on the CPU."""


def load_backbone(folder: Path, run: RunSettings, idle: Collection[str] = ()) -> Backbone:
    """Load and freeze every part of a backbone folder.

    Parts that the caller says are `idle` stay off the device. On a small GPU, unless something is
    idle, those of `WAITING` do, and the VAE takes large pictures in tiles; the recogniser, which a
    loss goes through, is never left behind.

    Raises:
        UserError: a part is missing, or is not in safetensors.
    """
    device, dtype = device_of(run), getattr(torch, run.dtype)
    parts = load_components(folder, dtype)
    if parts["identity_encoder"] is None:
        raise UserError(f"{folder} has no identity_encoder folder: training needs one.")
    modules = ("text_encoder", "vae", "transformer", "identity_encoder")
    disable_gradients(*(parts[name] for name in modules))
    if not idle and is_small(device):
        idle = WAITING
        parts["vae"].enable_tiling()
    for name in modules:
        if name not in idle:
            parts[name] = parts[name].to(device)
    recognizer = parts["identity_encoder"].recognizer
    if "identity_encoder" in idle and isinstance(recognizer, torch.nn.Module):
        recognizer.to(device)
    return Backbone(folder=folder, **parts, device=device, dtype=dtype)


def given_adapter(
    folder: Path, backbone: Backbone, dtype: torch.dtype | None = None
) -> IdentityInjection:
    """The adapter that a training left in `folder`; in the backbone's dtype when None."""
    digest = backbone.identity_encoder.recognizer_sha256
    return injections.read(folder / "adapter", backbone.transformer, digest, dtype)
