"""Still pictures that are odd and mostly kept: of few colours or many, turned, seen through."""

import struct

import cv2
import numpy as np
from PIL import Image, ImageCms

from mm_model.records import Reason
from tests.bad_inputs.drawn import (
    patched,
    photograph,
    rubbish,
    saved,
    with_chunk,
)
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind

_MADE_AT = 24
"""Where a colour profile's head holds the moment it was made (ICC.1, profile header)."""


@kind("CMYK jpeg", "four inks and no profile, as printers keep them", KEPT, 3)
def _(number: int, seed: int) -> Made:
    image = Image.fromarray(photograph(seed)).convert("CMYK")
    return Made(b"%d.jpg" % number, saved(image, "JPEG"), says="CMYK without")


@kind("YCCK jpeg", "CMYK stored as Adobe's programs do", KEPT, 2)
def _(number: int, seed: int) -> Made:
    content = saved(Image.fromarray(photograph(seed)).convert("CMYK"), "JPEG")
    mark = content.index(b"Adobe")
    return Made(b"%d.jpg" % number, patched(content, mark + 11, b"\x02"), says="CMYK without")


@kind("sixteen bits a sample", "grey and coloured PNG", KEPT, 6)
def _(number: int, seed: int) -> Made:
    deep = photograph(seed).astype(np.uint16) * 257
    deep = deep[..., 0] if number % 2 else deep
    content = cv2.imencode(".png", deep)[1].tobytes()
    return Made(b"%d.png" % number, content, says="16 bits a sample reduced to 8")


@kind(
    "few colours",
    "1 bit, palettes of 2 to 256, grey, grey with alpha",
    KEPT,
    8,
    note="stage faces decides whether anybody can be seen",
)
def _(number: int, seed: int) -> Made:
    image = Image.fromarray(photograph(seed))
    ways = (
        lambda: image.convert("1"),
        lambda: image.quantize(2),
        lambda: image.quantize(16),
        lambda: image.quantize(256),
        lambda: image.convert("L"),
        lambda: image.convert("LA"),
        lambda: image.convert("L").quantize(4),
        lambda: image.convert("P"),
    )
    return Made(b"%d.png" % number, saved(ways[number](), "PNG"))


def _seen_through(seed: int, hidden: slice | None) -> Image.Image:
    alpha = np.full((96, 128), 255, np.uint8)
    alpha[:, hidden or slice(0)] = 0
    return Image.fromarray(np.dstack([photograph(seed), alpha]))


@kind("transparent in places", "PNG and WebP with alpha, a palette with one", KEPT, 6)
def _(number: int, seed: int) -> Made:
    image = _seen_through(seed, slice(0, 30))
    if number % 3 == 2:
        content = saved(Image.fromarray(photograph(seed)).quantize(16), "PNG", transparency=3)
        return Made(b"%d.png" % number, content, says="laid on white")
    kind_of = ("PNG", "WEBP")[number % 3]
    content = saved(image, kind_of, lossless=True) if kind_of == "WEBP" else saved(image, kind_of)
    return Made(b"%d.%s" % (number, kind_of.lower().encode()), content, says="laid on white")


@kind("wholly transparent", "every pixel has alpha 0", Reason.FMT_TRANSPARENT, 4)
def _(number: int, seed: int) -> Made:
    hidden = Image.fromarray(np.dstack([photograph(seed), np.zeros((96, 128), np.uint8)]))
    way = ("PNG", "WEBP")[number % 2]
    content = saved(hidden, way, **({"exact": True, "lossless": True} if way == "WEBP" else {}))
    return Made(b"%d.%s" % (number, way.lower().encode()), content, Reason.FMT_TRANSPARENT)


@kind("turned by EXIF", "orientations 2 to 8", KEPT, 7)
def _(number: int, seed: int) -> Made:
    exif = Image.Exif()
    exif[0x0112] = number + 2
    size = (96, 128) if number + 2 >= 5 else (128, 96)
    content = saved(photograph(seed), "JPEG", exif=exif)
    return Made(b"%d.jpg" % number, content, says="turned upright", size=size)


@kind("EXIF that is no EXIF", "rubbish, an orientation of 77, a loop of directories", KEPT, 4)
def _(number: int, seed: int) -> Made:
    loop = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\x08"
    odd = Image.Exif()
    odd[0x0112] = 77
    exif = (b"Exif\0\0" + rubbish(seed, 60), odd.tobytes(), loop, b"Exif\0\0II*\0\xff\xff\xff\xff")
    return Made(b"%d.jpg" % number, saved(photograph(seed), "JPEG", exif=exif[number]))


@kind("unusable colour profile", "rubbish where a profile should be", KEPT, 4)
def _(number: int, seed: int) -> Made:
    way = ("PNG", "JPEG", "WEBP", "PNG")[number]
    content = saved(photograph(seed), way, icc_profile=rubbish(seed, 200 + number))
    return Made(b"%d.%s" % (number, way.lower().encode()), content, says="profile ignored")


@kind("colours of another space", "a Lab profile, a PNG marked PQ or BT.2020", KEPT, 4)
def _(number: int, seed: int) -> Made:
    if number == 0:
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        lab = patched(lab, _MADE_AT, struct.pack(">6H", 2000, 1, 1, 0, 0, 0))
        content = saved(photograph(seed), "PNG", icc_profile=lab)
        return Made(b"lab.png", content, says="profile ignored")
    code = ((9, 16), (9, 18), (9, 14))[number - 1]
    content = with_chunk(saved(photograph(seed), "PNG"), b"cICP", bytes([*code, 0, 1]))
    return Made(b"%d.png" % number, content, says="converted")
