"""Which base a folder holds: a checkpoint of Stable Diffusion 1.5 or a CogVideoX backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mm_model.settings import Profile
from mm_model.settings.device import device_of
from mm_model.store import digests
from mm_model.vcd import cogvideox, stable_diffusion
from mm_model.vcd.base import SubjectBase


@dataclass(frozen=True, eq=False)
class OpenedBase:
    """A base and the digest of everything of it that decides what is learned.

    space: where tokens stand: `input` or `output` of the text encoder.
    """

    base: SubjectBase
    digest: str
    space: str


def open_base(folder: Path, profile: Profile) -> OpenedBase:
    """The base of `folder`, on the profile's device: a backbone is told by its transformer.

    Raises:
        UserError: it is neither, or not whole.
    """
    device = device_of(profile.run)
    if not (folder / "transformer").is_dir():
        checkpoint = stable_diffusion.load_checkpoint(folder, device, torch.float32)
        return OpenedBase(checkpoint, stable_diffusion.digest_of(folder), "input")
    backbone = open_backbone(folder, profile)
    digest = digests.of_value([cogvideox.digest_of(folder), backbone.size])
    return OpenedBase(backbone, digest, backbone.space)


def open_backbone(folder: Path, profile: Profile, space: str | None = None) -> cogvideox.CogVideoX:
    """The CogVideoX backbone of `folder` as the profile runs it; `space` where it says another.

    Raises:
        UserError: it is none, or not whole.
    """
    return cogvideox.load_cogvideox(
        folder,
        device_of(profile.run),
        getattr(torch, profile.run.dtype),
        space=space or profile.subject.space,
        size=min(profile.model.height, profile.model.width),
    )
