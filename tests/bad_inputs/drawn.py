"""Pictures and clips that the bad ones are made from, small and different for every seed."""

import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mm_model.media.encode import mp4_bytes
from tests.media.filmed import encoded, steady


def photograph(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Smooth patches of colour, uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def grain(seed: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A photograph with grain: its coded data are long enough to be damaged anywhere."""
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 3))
    return np.clip(photograph(seed, height, width) + noise, 0, 255).astype(np.uint8)


def footage(seed: int, number: int = 12, shift: int = 3) -> np.ndarray:
    """A pan over a photograph, uint8 [number, 96, 96, 3]."""
    wide = photograph(seed, 96, 256)
    return np.stack([wide[:, i * shift : i * shift + 96] for i in range(number)])


def grainy_footage(seed: int, number: int = 12) -> np.ndarray:
    """A pan whose frames take some bytes to code."""
    wide = grain(seed, 96, 256)
    return np.stack([wide[:, i * 3 : i * 3 + 96] for i in range(number)])


def saved(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(seed: int, **options: object) -> bytes:
    """A photograph with grain as JPEG."""
    return saved(grain(seed), "JPEG", **options)


def clip(seed: int, number: int = 12) -> bytes:
    """A clip that is kept: H.264 in MP4, index first."""
    return mp4_bytes(footage(seed, number), 8)


def coded(
    frames: np.ndarray,
    name: str = "a.mp4",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sar: Fraction | None = None,
    tags: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """Frames by another codec or into another container, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = encoded(Path(folder) / name, frames, codec, pix_fmt, sar, tags, options)
        return path.read_bytes()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def png_head(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """Mark and header of a PNG."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)


def png_of(width: int, height: int, data: bytes, before: bytes = b"") -> bytes:
    """A PNG of this header whose pixels are `data`, whatever they are."""
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return png_head(width, height) + before + body


def with_chunk(content: bytes, name: bytes, data: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return content[:33] + chunk(name, data) + content[33:]


def box(name: bytes, data: bytes) -> bytes:
    """A box of an MP4."""
    return struct.pack(">I", 8 + len(data)) + name + data


def without_box(content: bytes, name: bytes) -> bytes:
    """An MP4 without its first box of this name."""
    at = content.index(name) - 4
    size = int.from_bytes(content[at : at + 4], "big")
    return content[:at] + content[at + size :]


def patched(content: bytes, at: int, value: bytes) -> bytes:
    """The same bytes with others written over them."""
    return content[:at] + value + content[at + len(value) :]


def rubbish(seed: int, number: int) -> bytes:
    """Bytes that mean nothing."""
    return np.random.default_rng(seed).integers(0, 256, number, np.uint8).tobytes()


def muxed(name: str, fill: Callable[[Any], None], **options: str) -> bytes:
    """A container that `fill` writes into, as bytes."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        exact = {"fflags": "+bitexact"} | options
        with av.open(str(path), "w", options=exact) as container:
            fill(container)
        return path.read_bytes()


def sound(container: Any, codec: str = "aac") -> None:
    import av

    rate = 48000
    stream = container.add_stream(codec, rate=rate, layout="mono")
    size = stream.codec_context.frame_size or 1024
    kind_of = stream.codec_context.format.name
    for at in range(0, rate // 2, size):
        silent = np.zeros((1, size), np.float32 if "flt" in kind_of else np.int16)
        sound = av.AudioFrame.from_ndarray(silent, kind_of, "mono")
        sound.rate, sound.pts = rate, at
        container.mux(stream.encode(sound))
    container.mux(stream.encode(None))


def film(container: Any, frames: np.ndarray, rate: int = 8, codec: str = "libx264") -> None:
    import av

    stream = container.add_stream(codec, rate=rate, options={"threads": "1"} | steady(codec, {}))
    stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
    for picture in frames:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode(None))


def with_cover(content: bytes, picture: bytes) -> bytes:
    """An MP4 whose index comes last with an album's picture in its notes, as music has one."""
    at = content.rindex(b"moov") - 4
    data = box(b"data", struct.pack(">II", 13, 0) + picture)
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    notes = box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", box(b"covr", data))))
    return content[:at] + box(b"moov", content[at + 8 :] + notes)
