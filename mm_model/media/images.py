"""The one loader of still pictures: bytes in, upright 8-bit sRGB out.

Accepts JPEG, PNG and WebP by content alone. Refuses pictures that are cut short, damaged, animated,
or larger or longer than allowed (seen in the header, before any pixel is decoded); it never repairs
one. Colours are converted in bands of rows, so that memory stays near that of the bare pixels.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_model.media.failure import MediaError
from mm_model.media.shape import refuse_strip
from mm_model.media.sniff import HEAD_BYTES, IMAGE_KINDS, kind_of
from mm_model.media.stills import DAMAGE, developed
from mm_model.media.strict import is_closed, refuse_damaged_picture
from mm_model.records import Reason

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 89_000_000
"""Default for width times height; just below where Pillow itself begins to warn."""


@dataclass(frozen=True, eq=False)
class Picture:
    """pixels: uint8 [H, W, 3] sRGB, upright; kind: jpeg, png or webp; notes: what was unusual."""

    pixels: np.ndarray
    kind: str
    notes: tuple[str, ...] = ()


def load_image(
    source: bytes | Path,
    max_pixels: int = MAX_PIXELS,
    max_aspect: float | None = None,
    *,
    known_whole: bool = False,
) -> np.ndarray:
    """Upright uint8 [H, W, 3] sRGB pixels of a JPEG, PNG or WebP file.

    With `known_whole`, of a file that `ingest` has kept, damage that a second decoder would find is
    not looked for again; pixels are the same.

    Raises:
        MediaError: IO_EMPTY, IO_UNREADABLE, IO_TRUNCATED, FMT_UNKNOWN, FMT_ANIMATED, FMT_BOMB;
            FMT_STRIP, where `max_aspect` (longer side over shorter) is given.
    """
    return load_picture(source, max_pixels, max_aspect, known_whole=known_whole).pixels


def load_picture(
    source: bytes | Path,
    max_pixels: int = MAX_PIXELS,
    max_aspect: float | None = None,
    *,
    known_whole: bool = False,
) -> Picture:
    """`load_image` with the kind found and notes on what was unusual."""
    content = _content(source)
    kind = kind_of(content[:HEAD_BYTES])
    if kind == "gif":
        # Either way it is not accepted.
        reason = Reason.FMT_ANIMATED if _frames_of_gif(content) > 1 else Reason.FMT_UNKNOWN
        raise MediaError(reason, "GIF is not accepted: JPEG, PNG and WebP are")
    if kind not in IMAGE_KINDS:
        raise MediaError(Reason.FMT_UNKNOWN, "the content is not JPEG, PNG or WebP")
    image = _open(content, kind, max_pixels)
    width, height = image.size
    try:
        refuse_strip(width, height, max_aspect)
        if not known_whole:
            refuse_damaged_picture(content, kind)
        image = _decoded(image, content, kind)
        return Picture(*developed(image, content, kind))
    except MediaError as failure:
        raise failure.knowing(width=width, height=height, codec=kind) from None


def _frames_of_gif(content: bytes) -> int:
    """How many frames a GIF has, by its blocks, up to two; nothing is unpacked."""

    def colours(flags: int) -> int:
        return 3 << (flags % 8 + 1) if flags & 0x80 else 0

    frames = 0
    at = 13 + colours(content[10]) if len(content) > 13 else len(content)
    while at + 10 < len(content) and frames < 2:
        if content[at] == 0x2C:
            frames += 1
            at += 11 + colours(content[at + 9])
        elif content[at] == 0x21:
            at += 2
        else:
            break
        while at < len(content) and content[at]:
            at += 1 + content[at]
        at += 1
    return frames


def _content(source: bytes | Path) -> bytes:
    if isinstance(source, Path):
        try:
            source = source.read_bytes()
        except OSError as error:
            raise MediaError(Reason.IO_UNREADABLE, f"cannot be read: {error.strerror}") from None
    if not source:
        raise MediaError(Reason.IO_EMPTY, "the file is empty")
    return source


def _open(content: bytes, kind: str, max_pixels: int) -> "Image.Image":
    """The picture with its header read and checked, no pixel decoded."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content), formats=[kind.upper()])
    except Image.DecompressionBombError:
        raise MediaError(
            Reason.FMT_BOMB,
            "the header announces far more pixels than allowed",
            None,
            max_pixels,
        ) from None
    except DAMAGE as error:
        raise _damaged(content, kind, str(error)) from None
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise MediaError(
            Reason.FMT_BOMB,
            f"{image.width}x{image.height} pixels are more than allowed",
            pixels,
            max_pixels,
            {"width": image.width, "height": image.height, "codec": kind},
        )
    # A JPEG may carry further pictures (depth, gain map); a PNG or WebP that does is animated.
    if kind != "jpeg" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise MediaError(Reason.FMT_ANIMATED, f"{frames} frames", frames, 1)
    return image


def _decoded(image: "Image.Image", content: bytes, kind: str) -> "Image.Image":
    if kind == "webp":
        return _webp(image, content)
    try:
        image.load()
    except DAMAGE as error:
        raise _damaged(content, kind, str(error)) from None
    return image


def _webp(image: "Image.Image", content: bytes) -> "Image.Image":
    """By OpenCV, from the same library: Pillow's way holds the picture four times."""
    import cv2
    from PIL import Image

    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[1::-1] != image.size:
        raise _damaged(content, "webp")
    alpha = pixels.shape[2] == 4
    cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if alpha else cv2.COLOR_BGR2RGB, dst=pixels)
    decoded = Image.fromarray(pixels)
    decoded.info = image.info
    return decoded


def _damaged(content: bytes, kind: str, said: str = "") -> MediaError:
    if "too large" in said:  # Pillow of a PNG's text or profile
        return MediaError(Reason.IO_UNREADABLE, f"a note within the {kind} unpacks to megabytes")
    if kind == "webp":
        whole = len(content) >= 8 + struct.unpack("<I", content[4:8].ljust(4, b"\0"))[0]
    else:
        whole = is_closed(content, kind)
    if not whole or "truncated" in said:
        return MediaError(Reason.IO_TRUNCATED, f"the {kind} data end too early")
    return MediaError(Reason.IO_UNREADABLE, f"the {kind} data are damaged")
