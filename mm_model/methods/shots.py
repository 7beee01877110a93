"""Shots that pass a pipeline together, and the steps that they count."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mm_model.generation.clips import Sampling, Size, generate, together
from mm_model.methods.port import Shot
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.progress import OnStep

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline


def size_of(shot: Shot) -> Size:
    """Frames and pixels of a shot."""
    return Size(num_frames=shot.num_frames, height=shot.height, width=shot.width)


def groups(shots: Sequence[Shot], sampling: Sampling) -> Iterator[Sequence[Shot]]:
    """Neighbouring shots of one size and one negative prompt, as many as fit at once."""
    start = 0
    while start < len(shots):
        first, end = shots[start], start + 1
        most = together(size_of(first), sampling.batch_size)
        while end < len(shots) and end - start < most and _alike(shots[end], first):
            end += 1
        yield shots[start:end]
        start = end


def _alike(one: Shot, other: Shot) -> bool:
    return size_of(one) == size_of(other) and one.negative_prompt == other.negative_prompt


def made(
    pipe: "MagicMirrorPipeline",
    group: Sequence[Shot],
    found: IdentityFeatures | None,
    sampling: Sampling,
    on_step: OnStep | None,
) -> Iterator[np.ndarray]:
    """Frames uint8 `[F,H,W,3]` of each shot of one group; without `found`, of its prompt alone."""
    yield from generate(
        pipe,
        [shot.prompt for shot in group],
        found,
        [shot.seed for shot in group],
        size=size_of(group[0]),
        sampling=sampling,
        negative_prompt=group[0].negative_prompt,
        on_step=on_step,
    )


def share(on_step: OnStep | None, done: int, group: Sequence[Shot], total: int) -> OnStep | None:
    """`on_step` of one group, counted over all shots."""
    if on_step is None:
        return None

    def told(step: int, steps: int) -> None:
        on_step(done * steps + step * len(group), total * steps)

    return told
