"""Equal frames give equal files, whatever the memory held before and whatever else is running."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mm_model.media.encode import mp4_bytes

FILLS = (None, 1, 85, 255)
"""MALLOC_PERTURB_ of each child: glibc fills new blocks with its complement, freed ones with it."""


def children(
    root: Path, work: str, repeats: int, sizes: Sequence[int], fills: Sequence[int | None] = FILLS
) -> dict[str, set[str]]:
    """Digests by thing made, over children that run beside each other."""
    command = [sys.executable, "-m", "tests.media.repeat", work, str(repeats), *map(str, sizes)]
    started = []
    for fill in fills:
        environment = {k: v for k, v in os.environ.items() if k != "MALLOC_PERTURB_"}
        if fill is not None:
            environment["MALLOC_PERTURB_"] = str(fill)
        started.append(
            subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    seen: dict[str, set[str]] = defaultdict(set)
    for child in started:
        said, complaint = child.communicate()
        assert child.returncode == 0, complaint[-2000:]
        for name, digests in json.loads(said).items():
            seen[name] |= set(digests)
    return seen


def assert_single(seen: dict[str, set[str]]) -> None:
    assert seen
    torn = {name: len(digests) for name, digests in seen.items() if len(digests) > 1}
    assert not torn, "different files of equal frames (how many, by thing made)"


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Processes that keep the cores busy meanwhile."""
    code = "x = 1\nwhile True: x = x * 1103515245 % 2147483647"
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_clip_is_the_same_file_whatever_memory_held(root: Path) -> None:
    assert_single(children(root, "videos", 12, (64, 80, 96, 128)))


def test_a_clip_is_read_the_same_whatever_memory_held(root: Path) -> None:
    assert_single(children(root, "decoded", 6, (64, 96), FILLS[1:3]))


def test_pictures_films_and_tables_are_the_same_files(root: Path) -> None:
    assert_single(children(root, "pictures", 3, (64,), FILLS[1:3]))


def test_memory_around_the_frames_does_not_enter_the_clip() -> None:
    rng = np.random.default_rng(5)
    frames = np.repeat(np.repeat(rng.integers(0, 256, (5, 8, 12, 3), np.uint8), 8, 1), 8, 2)
    wanted = mp4_bytes(frames, 8)
    for offset in (1, 3, 16, 33):
        store = rng.integers(0, 256, frames.size + 64, dtype=np.uint8)
        shifted = store[offset : offset + frames.size].reshape(frames.shape)
        shifted[:] = frames
        assert mp4_bytes(shifted, 8) == wanted, offset
    wide = rng.integers(0, 256, (5, 70, 110, 3), np.uint8)
    wide[:, 3:67, 7:103] = frames
    assert mp4_bytes(wide[:, 3:67, 7:103], 8) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("work", ["decoded", "pictures"])
def test_readers_and_other_writers_agree_over_more_memory(root: Path, work: str) -> None:
    with load(2):
        assert_single(children(root, work, 12, (64, 96, 128, 130), (None, 1, 85, 170, 255)))


@pytest.mark.slow
@pytest.mark.endurance
@pytest.mark.parametrize("size", [64, 96, 128, 480])
def test_five_hundred_encodings_under_load_give_one_file(root: Path, size: int) -> None:
    fills = (None, 1, 37, 85, 128, 170, 213, 255)
    with load(2):
        assert_single(children(root, "videos", 63, (size,), fills))
