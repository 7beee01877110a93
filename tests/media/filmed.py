"""Clips made for tests: any codec, size, pixel shape, colour tags, and turn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mm_model.media.encode import x264_options

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

ONE = 1 << 16
MATRICES = {
    "90": (0, ONE, -ONE, 0),
    "180": (-ONE, 0, 0, -ONE),
    "270": (0, -ONE, ONE, 0),
    "mirrored": (-ONE, 0, 0, ONE),
    "upside down": (ONE, 0, 0, -ONE),
    "transposed": (0, ONE, ONE, 0),
    "transverse": (0, -ONE, -ONE, 0),
}
SHOWN = {
    None: lambda p: p,
    "90": lambda p: np.rot90(p, -1),
    "180": lambda p: np.rot90(p, 2),
    "270": lambda p: np.rot90(p, 1),
    "mirrored": np.fliplr,
    "upside down": np.flipud,
    "transposed": lambda p: p.transpose(1, 0, 2),
    "transverse": lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}


def scene(width: int, height: int, number: int = 3) -> np.ndarray:
    """Smooth scenery, different in every corner, that moves."""
    coarse = np.random.default_rng(4).integers(20, 235, (4, 6, 3), np.uint8)
    wide = cv2.resize(coarse, (width + 8, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, 2 * i : 2 * i + width] for i in range(number)])


def turned(content: bytes, name: str | None) -> bytes:
    """The same MP4 with a display matrix in its track header."""
    if name is None:
        return content
    a, b, c, d = MATRICES[name]
    box = content.index(b"tkhd")
    at = box + 4 + 4 + (20 if content[box + 4] == 0 else 32) + 16
    matrix = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    packed = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    return content[:at] + packed + content[at + 36 :]


@contextmanager
def usual_turn() -> Iterator[None]:
    """Afterwards this thread waits its turn as before.

    SVT-AV1, run by root, moves the thread that opens it before all others of the machine
    (SCHED_FIFO, 99): it and every process that it starts then leave nobody else the processor.
    """
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)


def encoded(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sar: Fraction | None = None,
    tags: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    import av

    # else Matroska draws numbers by chance
    exact = {"fflags": "+bitexact"}
    with usual_turn(), av.open(str(path), "w", options=exact) as container:
        stream = container.add_stream(codec, rate=8, options=steady(codec, options))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        if sar is not None:
            stream.codec_context.sample_aspect_ratio = sar
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        given = "rgb24" if frames.dtype == np.uint8 else "rgb48le"
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format=given)
            container.mux(stream.encode(_in_yuv(frame, pix_fmt, tags or {})))
        container.mux(stream.encode(None))
    return path


def steady(codec: str = "libx264", options: dict[str, str] | None = None) -> dict[str, str]:
    """Options with which equal frames give equal bytes (`x264_options` says why)."""
    steady = x264_options(12, "medium") if codec == "libx264" else {"crf": "12"}
    if options is None:
        return steady
    return {name: steady[name] for name in ("threads", "x264-params") if name in steady} | options


def _in_yuv(frame: "VideoFrame", pix_fmt: str, tags: dict[str, int]) -> "VideoFrame":
    spaces = {9: 9, 1: 1}
    frame = frame.reformat(
        format=pix_fmt, dst_colorspace=spaces.get(tags.get("colorspace")), dst_color_range=1
    )
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame
