"""How a decoded still becomes a picture: upright, opaque, sRGB, 8 bits, a band of rows at a time.

A picture of the largest size allowed would otherwise be held several times over, once for every
step. What is converted is noted.
"""

import io
import struct
import zlib
from typing import TYPE_CHECKING, cast

import numpy as np

from mm_model.media.failure import MediaError
from mm_model.media.frames import Orientation, in_standard_range
from mm_model.records import Reason

if TYPE_CHECKING:
    from PIL import Image, ImageCms

BACKDROP = (255, 255, 255)
"""What transparent pixels are laid on."""

DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)
"""What Pillow raises, by format, on damaged data."""

_BAND_PIXELS = 4_000_000
_ORIENTATION = 0x0112
_TURNS = {
    2: Orientation(False, True, False),
    3: Orientation(False, True, True),
    4: Orientation(False, False, True),
    5: Orientation(True, False, False),
    6: Orientation(True, True, False),
    7: Orientation(True, True, True),
    8: Orientation(True, False, True),
}
_HAS_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}

Notes = dict[str, None]


def developed(image: "Image.Image", content: bytes, kind: str) -> tuple[np.ndarray, str, tuple]:
    """(uint8 [H, W, 3] pixels, kind, notes) of a loaded `image`, which is closed afterwards.

    Raises:
        MediaError: FMT_HDR, where its colours cannot be converted; FMT_TRANSPARENT, where no pixel
            of it can be seen.
    """
    notes: Notes = {}
    turn = _turn(image, notes)
    if kind == "png" and content[24:25] == b"\x10":
        notes["16 bits a sample reduced to 8"] = None
    convert = _Bands(image.info.get("icc_profile"), _coded_colours(content, kind), notes)
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = min(height, max(1, _BAND_PIXELS // width))
    for start in range(0, height, rows):
        top = min(start, height - rows)  # all of one height: a converter's tables fit one size
        pixels[top : top + rows] = convert(image.crop((0, top, width, top + rows)))
    image.close()
    if not convert.seen:
        raise MediaError(Reason.FMT_TRANSPARENT, "every pixel is wholly transparent")
    return turn(pixels), kind, tuple(notes)


def _turn(image: "Image.Image", notes: Notes) -> Orientation:
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1), Orientation())
    except (*DAMAGE, TypeError, KeyError):
        notes["unreadable EXIF data ignored"] = None
        return Orientation()
    if turn != Orientation():
        notes["turned upright as EXIF says"] = None
    return turn


def _coded_colours(content: bytes, kind: str) -> tuple[int, int] | None:
    """(primaries, transfer) by a PNG's cICP chunk, as numbers of ITU-T H.273; None without one."""
    at = 8
    while kind == "png" and at + 12 <= len(content):
        size, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if name == b"cICP" and size == 4:
            return content[at + 8], content[at + 9]
        if name == b"IDAT":
            return None
        at += 12 + size
    return None


class _Bands:
    """Converts bands of one picture, uint8 [h, W, 3] each, and notes what it did.

    `coded` colours, where given, count before the `profile`, as the PNG standard says. `seen`:
    whether any pixel was not wholly transparent.
    """

    def __init__(self, profile: bytes | None, coded: tuple[int, int] | None, notes: Notes) -> None:
        self._profile = None if coded else profile
        self._coded = coded
        self._notes = notes
        self.seen = False
        self._transforms: dict[str, ImageCms.ImageCmsTransform | None] = {}

    def __call__(self, band: "Image.Image") -> np.ndarray:
        pixels = np.asarray(self._in_srgb(self._opaque(_eight_bit(band))), np.uint8)
        if self._coded is None:
            return pixels
        pixels, note = in_standard_range(pixels, *self._coded)
        if note:
            self._notes[note] = None
        return pixels

    def _opaque(self, band: "Image.Image") -> "Image.Image":
        from PIL import Image

        if band.mode not in _HAS_ALPHA and "transparency" not in band.info:
            self.seen = True
            return band
        layer = band.convert("RGBA")
        least, most = cast("tuple[int, int]", layer.getchannel("A").getextrema())
        self.seen = self.seen or most > 0
        if least == 255:
            return layer.convert("RGB")
        self._notes["transparent pixels laid on white"] = None
        white = Image.new("RGBA", layer.size, (*BACKDROP, 255))
        return Image.alpha_composite(white, layer).convert("RGB")

    def _in_srgb(self, band: "Image.Image") -> "Image.Image":
        from PIL import ImageCms

        if band.mode == "P":
            band = band.convert("RGB")
        if self._profile is None:
            if band.mode == "CMYK":
                self._notes["CMYK without a colour profile"] = None
            return band.convert("RGB")
        if band.mode not in self._transforms:
            self._transforms[band.mode] = self._transform(self._profile, band.mode)
        transform = self._transforms[band.mode]
        if transform is None:
            return band.convert("RGB")
        # Pillow's stub adds the None of `inPlace`, which is not asked for.
        return cast("Image.Image", ImageCms.applyTransform(band, transform))

    def _transform(self, profile: bytes, mode: str) -> "ImageCms.ImageCmsTransform | None":
        """From the picture's own profile to sRGB; None where there is nothing to do."""
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" in ImageCms.getProfileDescription(source).lower():
                return None
            transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            self._notes["unusable colour profile ignored"] = None
            return None
        self._notes["converted to sRGB from its colour profile"] = None
        return transform


def _eight_bit(band: "Image.Image") -> "Image.Image":
    """16-bit grey values divided by 257, which maps 65535 to 255; Pillow alone would clip them."""
    from PIL import Image

    if not band.mode.startswith("I"):
        return band
    values = np.clip(np.asarray(band).astype(np.int64), 0, 65535)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
