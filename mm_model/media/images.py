"""The one loader of still pictures: bytes in, upright 8-bit sRGB out.

Accepts JPEG, PNG and WebP by content alone. Refuses pictures that are cut short, animated, or
larger than allowed (seen in the header, before any pixel is decoded); it never repairs one.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_model.media.failure import MediaError
from mm_model.media.shape import refuse_strip
from mm_model.media.sniff import IMAGE_KINDS, kind_of
from mm_model.records import Reason

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 89_000_000
"""Default for width times height; just below where Pillow itself begins to warn."""

BACKDROP = (255, 255, 255)
"""What transparent pixels are laid on."""

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)
"""What Pillow raises, by format, on damaged data."""

_ROWS = 256
"""Rows converted at a time where a conversion needs several copies: large pictures stay cheap."""

_ENDS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}


@dataclass(frozen=True, eq=False)
class Picture:
    """pixels: uint8 [H, W, 3] sRGB, upright; kind: jpeg, png or webp; notes: what was unusual."""

    pixels: np.ndarray
    kind: str
    notes: tuple[str, ...] = ()


def load_image(
    source: bytes | Path, max_pixels: int = MAX_PIXELS, max_aspect: float | None = None
) -> np.ndarray:
    """Upright uint8 [H, W, 3] sRGB pixels of a JPEG, PNG or WebP file.

    Raises:
        MediaError: IO_EMPTY, IO_UNREADABLE, IO_TRUNCATED, FMT_UNKNOWN, FMT_ANIMATED, FMT_BOMB;
            FMT_STRIP, where `max_aspect` (longer side over shorter) is given.
    """
    return load_picture(source, max_pixels, max_aspect).pixels


def load_picture(
    source: bytes | Path, max_pixels: int = MAX_PIXELS, max_aspect: float | None = None
) -> Picture:
    """`load_image` with the kind found and notes on what was unusual."""
    content = _content(source)
    kind = kind_of(content[:64])
    if kind == "gif":
        # Two graphic control blocks stand for two frames; either way a GIF is not accepted.
        animated = content.count(b"\x00\x21\xf9\x04") > 1
        reason = Reason.FMT_ANIMATED if animated else Reason.FMT_UNKNOWN
        raise MediaError(reason, "GIF is not accepted: JPEG, PNG and WebP are")
    if kind not in IMAGE_KINDS:
        raise MediaError(Reason.FMT_UNKNOWN, "the content is not JPEG, PNG or WebP")
    image = _open(content, kind, max_pixels)
    refuse_strip(*image.size, max_aspect)
    return _picture(_decoded(image, content, kind), kind)


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
            Reason.FMT_BOMB, "the header announces far more pixels than allowed",
            None, max_pixels,
        ) from None  # fmt: skip
    except _DAMAGE:
        raise _damaged(content, kind) from None
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise MediaError(
            Reason.FMT_BOMB, f"{image.width}x{image.height} pixels are more than allowed",
            pixels, max_pixels,
        )  # fmt: skip
    # A JPEG may carry further pictures (depth, gain map); a PNG or WebP that does is animated.
    if kind != "jpeg" and getattr(image, "n_frames", 1) > 1:
        raise MediaError(Reason.FMT_ANIMATED, f"{image.n_frames} frames", image.n_frames, 1)
    return image


def _decoded(image: "Image.Image", content: bytes, kind: str) -> "Image.Image":
    try:
        image.load()
    except _DAMAGE as error:
        raise _damaged(content, kind, str(error)) from None
    return image


def _damaged(content: bytes, kind: str, said: str = "") -> MediaError:
    if kind == "webp":
        whole = len(content) >= 8 + struct.unpack("<I", content[4:8].ljust(4, b"\0"))[0]
    else:
        whole = _ENDS[kind] in content[-4096:]
    if not whole or "truncated" in said:
        return MediaError(Reason.IO_TRUNCATED, f"the {kind} data end too early")
    return MediaError(Reason.IO_UNREADABLE, f"the {kind} data are damaged")


def _picture(image: "Image.Image", kind: str) -> Picture:
    notes: list[str] = []
    profile = image.info.get("icc_profile")
    image = _upright(image, notes)
    image = _eight_bit(image, notes)
    image = _opaque(image, notes)
    image = _srgb(image, profile, notes)
    return Picture(np.array(image, dtype=np.uint8), kind, tuple(notes))


def _upright(image: "Image.Image", notes: list[str]) -> "Image.Image":
    from PIL import ImageOps

    size = image.size
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except (*_DAMAGE, TypeError, KeyError):
        notes.append("unreadable EXIF data ignored")
        return image
    if image.size != size:
        notes.append("turned upright as EXIF says")
    return image


def _eight_bit(image: "Image.Image", notes: list[str]) -> "Image.Image":
    """16-bit grey values divided by 257, which maps 65535 to 255; Pillow alone would clip them."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    notes.append("16 bits a sample reduced to 8")
    values = np.asarray(image)
    small = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):
        rows = np.clip(values[top : top + _ROWS].astype(np.int64), 0, 65535)
        small[top : top + _ROWS] = (rows + 128) // 257
    return Image.fromarray(small)


def _opaque(image: "Image.Image", notes: list[str]) -> "Image.Image":
    from PIL import Image

    if image.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in image.info:
        return image
    laid, seen_through = Image.new("RGB", image.size), False
    for top in range(0, image.height, _ROWS):
        layer = image.crop((0, top, image.width, min(top + _ROWS, image.height))).convert("RGBA")
        seen_through |= layer.getextrema()[3][0] < 255
        backdrop = Image.new("RGBA", layer.size, (*BACKDROP, 255))
        laid.paste(Image.alpha_composite(backdrop, layer).convert("RGB"), (0, top))
    if seen_through:
        notes.append("transparent pixels laid on white")
    return laid


def _srgb(image: "Image.Image", profile: bytes | None, notes: list[str]) -> "Image.Image":
    """RGB in the sRGB space, through the embedded colour profile where there is a usable one."""
    from PIL import ImageCms

    if image.mode == "P":
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                image = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
                notes.append("converted to sRGB from its colour profile")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("unusable colour profile ignored")
    elif image.mode == "CMYK":
        notes.append("CMYK without a colour profile")
    return image if image.mode == "RGB" else image.convert("RGB")
