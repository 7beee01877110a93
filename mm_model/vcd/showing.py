"""What shows a learned subject: a backbone, or a checkpoint with a motion module; and its values.

Which of them follows from what the subject was learned on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from mm_model.errors import UserError
from mm_model.generation import memory
from mm_model.progress import OnStep
from mm_model.settings import Profile
from mm_model.settings.device import device_of, settle
from mm_model.store.atomic import Document
from mm_model.vcd import cogvideox, stable_diffusion
from mm_model.vcd.animate import FPS, GUIDANCE, STEPS, Take, load_animator
from mm_model.vcd.cog_clips import load_cog_animator
from mm_model.vcd.lora import Lora, add_lora
from mm_model.vcd.shelf import LearnedSubject
from mm_model.vcd.tokens import IdTokens


class SubjectAnimator(Protocol):
    """Loaded networks that make clips of any subject of their family."""

    def clip(
        self, take: Take, tokens: IdTokens | None = None, on_step: OnStep | None = None
    ) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]`; without `tokens`, of the prompt alone."""
        ...


@dataclass(frozen=True)
class OwnValues:
    """What a clip is made with where nobody asks for something else."""

    frames: int
    height: int
    width: int
    steps: int
    guidance: float


@dataclass(frozen=True, eq=False)
class LoadedShow:
    """An animator, the values of its clips and their frames per second."""

    animator: SubjectAnimator
    own: OwnValues
    fps: int

    def take(self, prompt: str, asked: Document) -> Take:
        """A clip of `prompt` with the values that were asked for, by the names of `Take`."""
        return Take(prompt, **{**asdict(self.own), **asked})


@dataclass(frozen=True)
class Show:
    """What a subject is to be shown with, not loaded yet. motion: None on a CogVideoX backbone.

    learned_on: where that lies; weights: that, or another one of its family. subject: None where
    the prompt alone is heard, and the weights say their family. lora: added to both networks.
    """

    subject: LearnedSubject | None
    learned_on: Path
    weights: Path
    motion: Path | None
    lora: Lora | None = None

    def __post_init__(self) -> None:
        """Raises `UserError` where a motion module is lacking, or is of no use."""
        if self._on_backbone and self.motion is not None:
            raise UserError(
                f"{self._whose} a CogVideoX backbone, which moves by itself: leave out --motion."
            )
        if self._on_backbone and self.lora is not None:
            raise UserError(
                f"{self._whose} a CogVideoX backbone, and a LoRA is added to Stable Diffusion: "
                "leave out --lora."
            )
        if not self._on_backbone and self.motion is None:
            raise UserError(
                f"{self._whose} Stable Diffusion, which makes pictures: name AnimateDiff's motion "
                "module with --motion."
            )

    @property
    def family(self) -> str:
        """`cogvideox` or `stable-diffusion`."""
        if self.subject is not None:
            return self.subject.family
        is_backbone = (self.weights / "transformer").is_dir()
        return cogvideox.FAMILY if is_backbone else stable_diffusion.FAMILY

    @property
    def _on_backbone(self) -> bool:
        return self.family == cogvideox.FAMILY

    @property
    def _whose(self) -> str:
        return f"{self.subject.name} was learned on" if self.subject else f"{self.weights} is"

    def digests(self) -> dict[str, str]:
        """Hex SHA-256 of each part."""
        by = cogvideox if self._on_backbone else stable_diffusion
        found = {"weights": by.digest_of(self.weights)} | self._added()
        return found if self.subject is None else {"subject": self.subject.sha256, **found}

    def _added(self) -> dict[str, str]:
        found = {} if self.lora is None else {"lora": self.lora.digest()}
        if self.motion is None:
            return found
        return {"motion": stable_diffusion.digest_of_network(self.motion), **found}

    def load(self, profile: Profile, low_memory: bool = False) -> LoadedShow:
        """Load it on the profile's device, where asked for so that it needs little memory there.

        Raises:
            UserError: a part is missing, damaged, or does not fit the others.
        """
        device = device_of(profile.run)
        settle(device)
        if self._on_backbone:
            shown, serve = profile.model, profile.serve
            own = OwnValues(
                shown.num_frames,
                shown.height,
                shown.width,
                steps=serve.default_steps,
                guidance=serve.default_guidance,
            )
            space = self.subject.space if self.subject else None
            backbone = load_cog_animator(self.weights, profile, space, low_memory)
            return LoadedShow(backbone, own, shown.fps)
        assert self.motion is not None
        dtype = getattr(torch, profile.run.dtype)
        place = torch.device("cpu") if low_memory else device
        animator = load_animator(self.weights, self.motion, place, dtype, like=self.learned_on)
        if self.lora is not None:
            add_lora(animator.pipe, self.lora)
        if low_memory:
            memory.spare(animator.pipe, device)
        side = animator.side
        own = OwnValues(animator.frames, side, side, steps=STEPS, guidance=GUIDANCE)
        return LoadedShow(animator, own, FPS)
