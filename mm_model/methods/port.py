"""The port of a method: enrol a subject from references, then generate shots of subjects.

Evaluation, serving and the command line know a method by these names alone. What is enrolled
belongs to the method that made it: it is saved in a folder with a digest, and another method
refuses it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mm_model.generation.clips import Sampling
from mm_model.methods.kinds import KINDS as KINDS
from mm_model.nn.identity.portrait import Photograph
from mm_model.progress import OnStep


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One clip to make: `subjects` are places in the list of subjects handed over with it.

    `num_frames` is 1 or 8k + 1; equal shots of equal subjects give equal frames.
    """

    prompt: str
    seed: int
    num_frames: int
    height: int
    width: int
    subjects: tuple[int, ...] = (0,)
    negative_prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a method is: its `name`, what it shows, and the digests of what it computes with.

    `tuned` says whether enrolling trains something; `kinds` and `most_subjects` bound what a shot
    may hold.
    """

    name: str
    kinds: tuple[str, ...]
    most_subjects: int
    most_references: int
    tuned: bool
    weights: dict[str, str] = field(default_factory=dict)


@runtime_checkable
class Enrolled(Protocol):
    """One subject as a method knows it."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        ...

    @property
    def digest(self) -> str:
        """Names this subject: equal references by an equal method give an equal digest."""
        ...

    def save(self, folder: Path) -> None:
        """Write the subject into `folder`, whole or not at all."""
        ...


@runtime_checkable
class Method(Protocol):
    """A way to give a clip an identity."""

    def describe(self) -> Description:
        """What it is and what it can show."""
        ...

    def enroll(
        self, references: Sequence[Photograph], kind: str = "person", on_step: OnStep | None = None
    ) -> Enrolled:
        """The subject of `references`; a method that trains here resumes where it was cut off.

        Raises:
            UserError: too few or too many references, or a kind that the method cannot show.
        """
        ...

    def restore(self, folder: Path) -> Enrolled:
        """A subject that `Enrolled.save` wrote.

        Raises:
            UserError: it is damaged, or another method or other weights enrolled it.
        """
        ...

    def generate(
        self,
        subjects: Sequence[Enrolled],
        shots: Sequence[Shot],
        sampling: Sampling,
        on_step: OnStep | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames uint8 [F, H, W, 3] of each shot, in order; few shots are held at once.

        Raises:
            UserError: a shot holds more subjects than the method can show, or asks for what the
                model cannot make.
        """
        ...
