"""The synthesiser port: another picture of an identity, made rather than taken.

The paper uses PhotoMaker-V2 for this (`photomaker.py`); every synthesiser, that one included,
stands behind the protocol here. What it makes is never believed: the stage detects, embeds and
compares it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np

from mm_model.facepack.port import Face

Name: TypeAlias = Literal["world", "augment", "photomaker", "none"]
"""Synthesisers that a profile may name; `none` makes nothing."""


@dataclass(frozen=True, eq=False)
class IdentityPicture:
    """One picture of an identity: a still, or frame `frame` of a clip, with its face.

    `frame` is None for a still; sizes in pixels, the face in pixels of the picture. `faces` is the
    number of faces seen in its sample, bystanders included. `content` is a digest of the sample's
    pixels, where it is known.
    """

    sample_id: str
    path: Path
    frame: int | None
    width: int
    height: int
    face: Face
    faces: int = 1
    content: str | None = None


@dataclass(frozen=True, eq=False)
class Identity:
    """What a synthesiser may know of one identity.

    `subject` is the name its source gave most of its samples, `procedural` whether all of them
    carry the mark of the procedural world. `word` is what captions call this person (man, woman).
    """

    name: str
    subject: str | None
    procedural: bool
    portraits: tuple[IdentityPicture, ...]
    word: str | None = None


@dataclass(frozen=True, eq=False)
class SynthesisedPicture:
    """A synthesised picture, RGB uint8 [H, W, 3]; `origin` is the sample it was made from, if any.

    The origin is lineage: when that sample is withdrawn, so is this picture. `faces` is how many
    may be seen in it: as many as in its origin, or one.
    """

    image: np.ndarray
    origin: str | None
    faces: int = 1


class Synthesizer(Protocol):
    """Makes pictures of identities; the same identity and seed give the same picture."""

    @property
    def name(self) -> str: ...

    def make(self, identity: Identity, seed: int) -> SynthesisedPicture | None:
        """A new picture of `identity`, or None when this synthesiser cannot serve it."""
        ...


def open_synthesizer(name: Name) -> Synthesizer | None:
    """The synthesiser of a worker (`pairs.synthesizer`).

    None for `none`, and for `photomaker`: that one lives in one process alone and has painted
    before any worker begins (`painting.py`).
    """
    if name == "world":
        from mm_model.pairs.procedural import ProceduralSynthesizer

        return ProceduralSynthesizer()
    if name == "augment":
        from mm_model.pairs.augment import AugmentSynthesizer

        return AugmentSynthesizer()
    return None
