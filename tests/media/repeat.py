"""A child process of the tests for equal bytes: does a piece of work again and again.

`python -m tests.media.repeat <work> <repeats> <size> ...` prints JSON: for each thing made, the
digests that were seen. The parent gives each child another MALLOC_PERTURB_, so that memory nobody
has written reads differently there; between repeats the heap is stirred too.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

PEOPLE = 3


def clips(size: int) -> list[np.ndarray]:
    """Nine frames each of three procedural people, uint8 [9, size, size, 3]."""
    from mm_model.embedded.people.action import ACTIONS
    from mm_model.embedded.people.clips import clip
    from mm_model.embedded.people.people import person
    from mm_model.embedded.people.shot import shot

    found = []
    for number, action in zip(range(PEOPLE), list(ACTIONS)[1:], strict=False):
        rng = np.random.default_rng([size, number])
        found.append(
            clip(person(3 + number), action, shot(rng), num_frames=9, size=size, rng=rng).frames
        )
    return found


def videos(frames: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Both writers of clips."""
    from mm_model.embedded.people.encode import encode_mp4
    from mm_model.media.encode import mp4_bytes

    yield "published", mp4_bytes(frames, 8)
    yield "drawn", encode_mp4(frames, 8)


def decoded(frames: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """What both readers of clips make of one file."""
    from mm_model.media.decode import read_frames
    from mm_model.media.encode import write_mp4

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_mp4(path, frames, 8)
        yield "decord", read_frames(path).tobytes()
        yield "pyav", read_frames(path, reader="pyav").tobytes()


def pictures(frames: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Every writer of pictures, films and tables."""
    from mm_model.embedded.people.encode import encode_picture
    from mm_model.media.sheet import contact_sheet, jpeg_bytes
    from mm_model.report import timelapse
    from mm_model.store import tables

    yield "drawn frames", frames.tobytes()
    yield "jpeg", encode_picture(frames[0], ".jpg")
    yield "png", encode_picture(frames[0], ".png")
    yield "sheet", jpeg_bytes(contact_sheet(list(frames), [str(i) for i in range(len(frames))], 3))
    strip = io.BytesIO()
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(strip, "JPEG", quality=90)
    yield "strip", strip.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".webp", ".gif"):
            path = Path(folder) / f"film{suffix}"
            timelapse.save([Image.fromarray(frame) for frame in frames], path, 8)
            yield suffix, path.read_bytes()
        path = Path(folder) / "table.parquet"
        rows = [{"name": str(i), "bytes": int(frame.sum())} for i, frame in enumerate(frames)]
        tables.write(path, rows, ("name", "bytes"), {"bytes": "count"})
        yield "table", path.read_bytes()


WORKS: dict[str, Callable[[np.ndarray], Iterator[tuple[str, bytes]]]] = {
    "videos": videos,
    "decoded": decoded,
    "pictures": pictures,
}


def stir(rng: np.random.Generator) -> None:
    """Fill blocks of many sizes with noise and give them back."""
    blocks = [
        rng.integers(0, 1 << 16, int(count), dtype=np.uint16)
        for count in rng.integers(50, 60_000, 20)
    ]
    del blocks


def main(work: str, repeats: int, sizes: list[int]) -> dict[str, list[str]]:
    """Digests by thing made."""
    rng = np.random.default_rng(int.from_bytes(os.urandom(8), "little"))
    seen: dict[str, set[str]] = {}
    for size in sizes:
        people = clips(size)
        for turn in range(repeats):
            stir(rng)
            number = turn % PEOPLE
            for name, content in WORKS[work](people[number].copy()):
                key = f"{name} at {size}, person {number}"
                seen.setdefault(key, set()).add(hashlib.sha256(content).hexdigest()[:16])
    return {key: sorted(values) for key, values in seen.items()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3:]])))
