"""Which base a folder holds: a checkpoint of Stable Diffusion 1.5 or a CogVideoX backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mm_model.settings import Profile
from mm_model.settings.device import device_of
from mm_model.settings.subject import SubjectSettings
from mm_model.store import digests
from mm_model.vcd import cogvideox, stable_diffusion
from mm_model.vcd.base import SubjectBase


@dataclass(frozen=True, eq=False)
class OpenedBase:
    """A base and the digest of everything of it that decides what is learned.

    settings: the profile's section as it holds there.
    """

    base: SubjectBase
    digest: str
    settings: SubjectSettings

    @property
    def space(self) -> str:
        """Where tokens stand: `input` or `output` of the text encoder."""
        return self.settings.space


def open_base(folder: Path, profile: Profile) -> OpenedBase:
    """The base of `folder`, on the profile's device: a backbone is told by its transformer.

    Raises:
        UserError: it is neither, or not whole.
    """
    device = device_of(profile.run)
    if not (folder / "transformer").is_dir():
        checkpoint = stable_diffusion.load_checkpoint(folder, device, torch.float32)
        told = profile.subject.model_copy(update={"space": "input"})
        return OpenedBase(checkpoint, stable_diffusion.digest_of(folder), told)
    backbone = open_backbone(folder, profile)
    digest = digests.of_value([cogvideox.digest_of(folder), backbone.size])
    return OpenedBase(backbone, digest, profile.subject.for_backbone())


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
