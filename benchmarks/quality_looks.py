"""How many spoilt photographs and clips the score of quality tells from clean ones.

Every file of a folder as it is, and compressed, noisy, blurred or enlarged; of a clip three frames,
of which the worst counts, as stage ingest does. `ratio` is the share of all spoilt ones above the
lowest bound that loses at most 2% of the clean files. The table goes to stderr. Takes the package
of `make filters`.
"""

import argparse
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.result import Result
from mm_model.errors import UserError
from mm_model.media import looks
from mm_model.media.decode import read_frames
from mm_model.media.folder import media_below
from mm_model.media.images import load_image
from mm_model.media.sniff import CLIP_KINDS, HEAD_BYTES, IMAGE_KINDS, kind_of

GOAL = 0.5
LOST = 0.02
"""Share of the clean files that a bound may lose."""

Picture = np.ndarray


def options(command: argparse.ArgumentParser) -> None:
    """Which files."""
    command.add_argument("--media", type=Path, required=True, help="folder of clean files")


def _jpeg(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as read:
        return np.asarray(read)


def _noise(picture: Picture, sigma: float) -> Picture:
    added = np.random.default_rng(1).normal(0, sigma, picture.shape)
    return np.clip(picture + added, 0, 255).astype(np.uint8)


def _blur(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def _enlarged(picture: Picture, times: int) -> Picture:
    height, width = picture.shape[:2]
    few = cv2.resize(picture, (width // times, height // times), interpolation=cv2.INTER_AREA)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC)


SPOILT: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 5": lambda picture: _jpeg(picture, 5),
    "JPEG 10": lambda picture: _jpeg(picture, 10),
    "noise 10": lambda picture: _noise(picture, 10),
    "noise 25": lambda picture: _noise(picture, 25),
    "blur 2": lambda picture: _blur(picture, 2),
    "blur 4": lambda picture: _blur(picture, 4),
    "enlarged 4": lambda picture: _enlarged(picture, 4),
    "enlarged 8": lambda picture: _enlarged(picture, 8),
}
"""Levels of JPEG; deviations in grey values; deviations and times in pixels."""


def run(given: Any) -> Result:
    """Score every file clean and spoilt, print the table."""
    score = looks.opened(looks.WantedLooks(quality=True)).quality
    assert score is not None
    shown = [pictures for pictures in map(_pictures, _files(given.media)) if pictures]
    if not shown:
        raise UserError(f"{given.media} holds no photographs or clips.")
    clean = np.array([max(map(score, pictures)) for pictures in shown])
    spoilt = {
        name: np.array([max(score(spoil(one)) for one in pictures) for pictures in shown])
        for name, spoil in SPOILT.items()
    }
    bound = lowest_bound(clean)
    _print(clean, spoilt, bound)
    told = np.concatenate(list(spoilt.values())) > bound
    return Result(float(told.mean()), GOAL, len(shown), at_most=False)


def lowest_bound(clean: np.ndarray) -> float:
    """The lowest whole bound that at most `LOST` of the clean values are above."""
    allowed = int(LOST * len(clean))
    return math.ceil(np.sort(clean)[-1 - allowed])


def _files(folder: Path) -> list[Path]:
    return [entry.path for entry in media_below(folder) if entry.problem is None]


def _pictures(path: Path) -> list[Picture]:
    with path.open("rb") as handle:
        kind = kind_of(handle.read(HEAD_BYTES))
    if kind in IMAGE_KINDS:
        return [looks.small(load_image(path), looks.READ_SIDE)]
    if kind not in CLIP_KINDS:
        return []
    frames = read_frames(path)
    return [looks.small(frames[at], looks.READ_SIDE) for at in (0, len(frames) // 2, -1)]


def _print(clean: np.ndarray, spoilt: dict[str, np.ndarray], bound: float) -> None:
    print(f"Called poor, of {len(clean)} files each", file=sys.stderr)
    print("bound", "clean", *spoilt, sep=" | ", file=sys.stderr)
    for asked in sorted({bound, *range(40, 95, 5)}):
        called = [int((values > asked).sum()) for values in (clean, *spoilt.values())]
        print(f"{asked:g}", *called, sep=" | ", file=sys.stderr)
