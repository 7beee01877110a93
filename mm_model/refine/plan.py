"""What is refined, and how much: the steps by name, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_model.errors import UserError
from mm_model.refine.face import face_redrawn
from mm_model.refine.port import FindFaces, Redrawer, left_of
from mm_model.refine.tiled import tiles_redrawn

STRENGTHS = {"face": 0.8, "tiled": 0.2}
"""Published denoising strengths; also the steps that there are."""

_Refine = Callable[[np.ndarray, Redrawer, FindFaces, float], tuple[np.ndarray, str]]
_STEPS: dict[str, _Refine] = {"face": face_redrawn, "tiled": tiles_redrawn}


@dataclass(frozen=True)
class RefinePlan:
    """`steps` of `STRENGTHS` in their order; `strength` (None: each step's published one), 0..1.

    Raises:
        UserError: an unknown step, one twice, none, or another strength.
    """

    steps: tuple[str, ...] = ("face", "tiled")
    strength: float | None = None

    def __post_init__(self) -> None:
        known = " and ".join(STRENGTHS)
        for step in self.steps:
            if step not in STRENGTHS:
                raise UserError(f"{step!r} is no way to refine: choose among {known}.")
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise UserError(f"Name each way to refine once: {known}.")
        left_of(1, 0.0 if self.strength is None else self.strength)

    @classmethod
    def of(cls, steps: str, strength: float | None = None) -> RefinePlan:
        """From `face,tiled` as it is written on a command line."""
        return cls(tuple(part.strip() for part in steps.split(",")), strength)

    @property
    def unchanged(self) -> bool:
        """Whether nothing is asked for: strength 0."""
        return self.strength == 0


@dataclass(frozen=True, eq=False)
class RefinedClip:
    """`frames [F,H,W,3]` uint8, and what each step says of itself."""

    frames: np.ndarray
    notes: tuple[str, ...]


def refined(
    frames: np.ndarray, plan: RefinePlan, redrawer: Redrawer, find: FindFaces
) -> RefinedClip:
    """Frames uint8 `[F,H,W,3]` refined by every step of `plan`; at strength 0 the frames given.

    Raises:
        UserError: the model cannot redraw so many frames.
    """
    notes = []
    for step in plan.steps:
        strength = STRENGTHS[step] if plan.strength is None else plan.strength
        if strength == 0 or not len(redrawer.times(strength)):
            notes.append(f"{step}: no step at strength {strength:g}, the clip stays as it is")
            continue
        frames, said = _STEPS[step](frames, redrawer, find, strength)
        notes.append(f"{step}: {said}")
    return RefinedClip(frames, tuple(notes))
