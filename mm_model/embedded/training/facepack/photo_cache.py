"""Photographs of procedural people, rendered once and read many times.

A folder of shards of a few people each; a shard is written whole or not at all, so rendering
resumes where it stopped. The folder's name carries the renderer's digest: pictures of two looks
are never mixed. Refuses people of several splits in one cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mm_model.progress import each
from mm_model.run.pools.port import nothing, whole
from mm_model.run.pools.table import open_pool

_SHARD = 50
_PHOTO_STREAM = 0x70686F


@dataclass(frozen=True)
class Photos:
    """Photographs of P people: images uint8 [P, K, S, S, 3] RGB, boxes float32 [P, K, 4],
    landmarks float32 [P, K, 5, 2] in pixels, and the seed of each person, int64 [P]."""

    images: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    seeds: np.ndarray


@lru_cache(maxsize=1)
def renderer_digest() -> str:
    """Twelve hexadecimal digits of what the renderer draws: six people of every category.

    Pictures, not source files: a comment changes nothing, a new brow does.
    """
    import hashlib

    from mm_model.embedded.people import clips, people

    digest = hashlib.sha256()
    for seed in range(6 * len(people.CATEGORIES)):
        frame = clips.photograph(people.person(seed), photo_rng(seed, 0, 64), 64)
        digest.update(frame.image.tobytes() + frame.landmarks.tobytes())
    return digest.hexdigest()[:12]


def photo_rng(seed: int, number: int, size: int) -> np.random.Generator:
    """The generator of one photograph of one person; independent of every other."""
    return np.random.default_rng([_PHOTO_STREAM, seed, number, size])


def _render_shard(_: None, job: tuple[Path, list[int], int, int]) -> None:
    """Write one shard: images, boxes and landmarks of some people, aside and renamed."""
    import cv2

    from mm_model.embedded.people import clips, people
    from mm_model.store import atomic, sealed

    target, seeds, count, size = job
    cv2.setNumThreads(1)
    images = np.empty((len(seeds), count, size, size, 3), np.uint8)
    boxes = np.empty((len(seeds), count, 4), np.float32)
    landmarks = np.empty((len(seeds), count, 5, 2), np.float32)
    for row, seed in enumerate(seeds):
        for number in range(count):
            frame = clips.photograph(people.person(seed), photo_rng(seed, number, size), size)
            images[row, number] = frame.image
            boxes[row, number] = frame.box
            landmarks[row, number] = frame.landmarks
    with atomic.written_aside(target) as aside, aside.open("wb") as file:
        np.savez(file, images=images, boxes=boxes, landmarks=landmarks, seeds=np.asarray(seeds))
    sealed.seal(target, target.parent.name)


def _jobs(folder: Path, people: range, count: int, size: int) -> Iterator[tuple]:
    for start in range(0, len(people), _SHARD):
        seeds = list(people[start : start + _SHARD])
        target = folder / f"people-{seeds[0]:06d}-{seeds[-1]:06d}.npz"
        yield target, seeds, count, size


def photos(
    root: Path, people: range, *, count: int = 8, size: int = 128, workers: int = 2
) -> Photos:
    """``count`` photographs of ``size`` pixels of every person, from the cache below ``root``.

    Shards that are missing or damaged are rendered by ``workers`` processes. Raises ``ValueError``
    when ``people`` cross a split.
    """
    from mm_model.embedded.people import split
    from mm_model.store import sealed

    if len({split.split_of(people[0]), split.split_of(people[-1])}) != 1:
        raise ValueError(f"people {people.start}..{people.stop - 1} belong to two splits")
    folder = root / f"photos-{renderer_digest()}-{count}x{size}"
    jobs = list(_jobs(folder, people, count, size))
    missing = [job for job in jobs if sealed.flaw(job[0], folder.name)]
    label = f"photographs of people {people.start}..{people.stop - 1}"
    with closing(open_pool(nothing, workers if workers > 1 else 0)) as pool:
        done = pool.map(_render_shard, missing)
        said = "A rendering process ended early: run it again."
        list(each(whole(done, said), len(missing), label))
    shards = [np.load(job[0]) for job in jobs]
    fields = ("images", "boxes", "landmarks", "seeds")
    return Photos(*(np.concatenate([shard[name] for shard in shards]) for name in fields))
