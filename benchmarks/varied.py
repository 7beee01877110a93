"""Many different files made of the few photographs and clips of a folder, the same every time.

A photograph's number says which one it is made of and seeds its variation: cut to 90% to 100% of
each side, mirrored or not, made smaller by up to a quarter, JPEG quality 85 to 95. A clip is 49
frames from a seeded place on, mirrored or not, cut and scaled likewise. No two have equal pixels,
and the faces stay whole.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from mm_model.errors import UserError

CONSENT = {"basis": "varied for a benchmark", "adults": True}
_CLIP_FRAMES = 49
_QUALITIES = (85, 95)


def photographs(media: Path, folder: Path, first: int, count: int) -> None:
    """Write `count` from number `first` on, those of one original in a folder of their own.

    Raises:
        UserError: the folder `media` holds no photograph.
    """
    from mm_model.media.images import load_image
    from mm_model.media.sheet import jpeg_bytes

    paths = _originals(media, (".jpg", ".jpeg", ".png", ".webp"), "photograph")
    originals = [load_image(path) for path in paths]
    for number in range(first, first + count):
        base = number % len(paths)
        rng = np.random.default_rng([base, number])
        (picture,) = _variation([originals[base]], rng)
        content = jpeg_bytes(picture, int(rng.integers(*_QUALITIES, endpoint=True)))
        _write(folder, paths[base], f"{number:07d}.jpg", content)


def clips(media: Path, folder: Path, count: int, size: int = 512) -> None:
    """Write `count` clips, those of one original in a folder; the longer side is `size` pixels.

    Raises:
        UserError: the folder `media` holds no clip of 49 frames.
    """
    from mm_model.media.encode import mp4_bytes
    from mm_model.media.probe import probe

    paths = _originals(media, (".mp4",), "clip")
    known = [probe(path) for path in paths]
    long_enough = [n for n, one in enumerate(known) if _frames(one) >= _CLIP_FRAMES]
    if not long_enough:
        raise UserError(f"The folder {media} holds no clip of {_CLIP_FRAMES} frames: name another.")
    for number in range(count):
        base = long_enough[number % len(long_enough)]
        rng = np.random.default_rng([base, number])
        start = int(rng.integers(0, _frames(known[base]) - _CLIP_FRAMES, endpoint=True))
        frames = _read(paths[base], start)
        made = np.stack(list(_variation(frames, rng, size)))
        _write(folder, paths[base], f"{number:07d}.mp4", mp4_bytes(made, known[base].fps))


def _originals(media: Path, endings: tuple[str, ...], what: str) -> list[Path]:
    paths = sorted(path for path in media.rglob("*") if path.suffix.lower() in endings)
    if not paths:
        raise UserError(f"The folder {media} holds no {what}: name another with --media.")
    return paths


def _frames(known: object) -> int:
    return int(getattr(known, "declared_frames", None) or 0)


def _read(path: Path, start: int) -> list[np.ndarray]:
    from mm_model.media.decode import read_frames

    return list(read_frames(path, range(start, start + _CLIP_FRAMES)))


def _variation(
    frames: list[np.ndarray], rng: np.random.Generator, longest: int | None = None
) -> Iterator[np.ndarray]:
    """The same cut, mirroring and scale of each; `longest` bounds the longer side before."""
    import cv2

    height, width = frames[0].shape[:2]
    high, wide = (round(side * rng.uniform(0.9, 1)) for side in (height, width))
    top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
    mirrored, scale = bool(rng.integers(2)), float(rng.uniform(0.75, 1))
    scale *= min(1.0, longest / max(high, wide)) if longest else 1.0
    size = max(2, round(wide * scale)), max(2, round(high * scale))
    shrunk = partial(cv2.resize, dsize=size, interpolation=cv2.INTER_AREA)
    for frame in frames:
        part = frame[top : top + high, left : left + wide]
        yield np.ascontiguousarray(shrunk(part[:, ::-1] if mirrored else part))


def _write(folder: Path, original: Path, name: str, content: bytes) -> None:
    path = folder / original.stem / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (folder / "consent.yaml").write_text(yaml.safe_dump(CONSENT))
