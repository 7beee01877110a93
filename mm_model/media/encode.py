"""Writing clips: H.264 in MP4 through PyAV, the same frames giving the same bytes; and pictures.

One encoder thread, fixed settings and assembler without AVX-512 (`x264_options` says why) keep the
bytes equal from run to run on one machine. Odd sizes are padded to even ones by repeating the last
row or column, as 4:2:0 colour asks.
"""

import io
import platform
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from mm_model.store import atomic


def x264_options(crf: int, preset: str) -> dict[str, str]:
    """Options of libx264 under which equal frames give equal bytes.

    x264's AVX-512 code for the macroblock tree (`mbtree_propagate_list`) takes eight blocks at a
    time and does not mask those beyond a row. Where the width is no multiple of 128 pixels it adds
    what lies behind the last row, memory nobody has written, to the costs that set the quality. The
    older instructions stop at the row's end; the file is as large and, at this size of clip, as
    soon written. Any x86-64 processor that NumPy still runs on has SSSE3.
    """
    options = {"crf": str(crf), "preset": preset, "threads": "1"}
    if platform.machine().lower() in ("x86_64", "amd64"):
        options["x264-params"] = "asm=ssse3"
    return options


def mp4_bytes(frames: np.ndarray, fps: float, crf: int = 18) -> bytes:
    """An MP4 file (H.264, yuv420p, index first) of `frames`, as bytes.

    Args:
        frames: uint8 [T, H, W, 3] RGB, T >= 1.
        fps: frames a second.
        crf: x264's constant rate factor; 18 is visually close to lossless.

    Raises:
        ValueError: another shape or type, or no frame.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        _encode(path, frames, fps, crf)
        return path.read_bytes()


def png_bytes(pixels: np.ndarray) -> bytes:
    """A PNG file of `pixels`, uint8 [H, W, 3] RGB, as bytes; it says nothing but the pixels."""
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()


def write_mp4(path: Path, frames: np.ndarray, fps: float, crf: int = 18) -> None:
    """Write `mp4_bytes(frames, fps, crf)` to `path`, atomically. `path` ends in .mp4."""
    with atomic.written_aside(path) as aside:
        _encode(aside, frames, fps, crf)


def _encode(path: Path, frames: np.ndarray, fps: float, crf: int) -> None:
    import av

    frames = _even(_checked(frames))
    # The index can only move to the front of a real file, which FFmpeg reopens to do it.
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=_rate(fps))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {**x264_options(crf, "medium")}
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)


def _checked(frames: np.ndarray) -> np.ndarray:
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"frames are uint8 [T, H, W, 3], not {frames.dtype} {frames.shape}")
    return frames


def _even(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    if height % 2 == 0 and width % 2 == 0:
        return frames
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
