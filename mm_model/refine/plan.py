"""What is refined, and how much: the steps by name, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mm_model.errors import UserError
from mm_model.refine import boxes
from mm_model.refine.face import face_redrawn
from mm_model.refine.port import FindFaces, Redrawer, left_of
from mm_model.refine.tiled import tiles_redrawn

STEPS = ("face", "tiled")
"""The ways to refine that there are."""

_Refine = Callable[[np.ndarray, Redrawer, FindFaces, float], tuple[np.ndarray, str]]


@dataclass(frozen=True)
class RefinePlan:
    """`steps`, `face` and `tiled`, in their order; `strength` of all, 0..1 (None: the model's own).
    crop: side of what is redrawn around a face over its longer side.

    Raises:
        UserError: an unknown step, one twice, none, or another strength or crop.
    """

    steps: tuple[str, ...] = ("face", "tiled")
    strength: float | None = None
    crop: float = boxes.CROP

    def __post_init__(self) -> None:
        known = " and ".join(STEPS)
        for step in self.steps:
            if step not in STEPS:
                raise UserError(f"{step!r} is no way to refine: choose among {known}.")
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise UserError(f"Name each way to refine once: {known}.")
        left_of(1, 0.0 if self.strength is None else self.strength)
        least, most = boxes.SMALLEST_CROP, boxes.LARGEST_CROP
        if not least <= self.crop <= most:
            raise UserError(f"The crop is {self.crop}: give {least:g} to {most:g} times the face.")

    @classmethod
    def of(cls, steps: str, strength: float | None = None, crop: float = boxes.CROP) -> RefinePlan:
        """From `face,tiled` as it is written on a command line."""
        return cls(tuple(part.strip() for part in steps.split(",")), strength, crop)

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
    given, notes = frames, []
    of_step: dict[str, _Refine] = {
        "face": partial(face_redrawn, crop=plan.crop),
        "tiled": tiles_redrawn,
    }
    for step in plan.steps:
        strength = redrawer.strengths[step] if plan.strength is None else plan.strength
        if strength == 0 or not len(redrawer.times(strength)):
            notes.append(f"{step}: no step at strength {strength:g}, the clip stays as it is")
            continue
        frames, said = of_step[step](frames, redrawer, find, strength)
        notes.append(f"{step}: {said}")
    if frames is not given and (whole := redrawer.check(len(frames))) > len(frames):
        notes.append(
            f"{len(frames)} frames were redrawn as {whole}: the last one was repeated, and cut off "
            "again"
        )
    return RefinedClip(frames, tuple(notes))
