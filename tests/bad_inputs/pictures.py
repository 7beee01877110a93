"""Still pictures that are broken, no pictures at all, or odd and yet to be kept."""

import io
import zlib

import cv2
import numpy as np
from PIL import Image

from mm_model.records import Reason
from tests.bad_inputs.drawn import (
    chunk,
    grain,
    jpeg,
    patched,
    photograph,
    png_head,
    png_of,
    rubbish,
    saved,
    with_chunk,
)
from tests.bad_inputs.port import Made, kind

KEPT = "kept"
ENDINGS = (b"jpg", b"png", b"webp", b"mp4", b"mov", b"mkv", b"webm", b"JPG")
MARKS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x40\0\0\0WEBP",
    b"\xff\xd8\xff\xe0\0\x10JFIF",
)
FOREIGN = {
    b"page.jpg": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    b"error.png": b'{"error": "not found", "status": 404}',
    b"denied.webp": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    b"report.jpg": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    b"packed.jpg": b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(40),
    b"program.png": b"\x7fELF\x02\x01\x01" + bytes(60),
    b"script.jpg": b"#!/bin/sh\nrm -rf --no-preserve-root /nowhere\n",
    b"drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    b"pickle.jpg": b"cos\nsystem\n(S'echo bad'\ntR.",
    b"zeros.jpg": bytes(4096),
    b"text.webp": "only a few words, and an \u00e9".encode("utf-16"),
    b"gzip.png": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(30),
}
OTHER_PICTURES = ("BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "JPEG2000", "DDS")


def _cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


@kind("empty file", "no byte in it", Reason.IO_EMPTY, 8)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.%s" % (number, ENDINGS[number]), b"", Reason.IO_EMPTY)


@kind("nothing but a mark", "the first bytes of a picture, then nothing", Reason.IO_TRUNCATED, 4)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.jpg" % number, MARKS[number], Reason.IO_TRUNCATED)


@kind("jpeg cut short", "the rest of the bytes is missing", Reason.IO_TRUNCATED, 16)
def _(number: int, seed: int) -> Made:
    ways = ({}, {"quality": 30}, {"subsampling": 0}, {"restart_marker_rows": 1})
    content = jpeg(seed, **ways[number % 4])
    return Made(b"%d.jpg" % number, _cut(content, 0.2 + 0.05 * number), Reason.IO_TRUNCATED)


@kind("jpeg cut and closed", "cut short, then given a well-formed end", Reason.IO_TRUNCATED, 12)
def _(number: int, seed: int) -> Made:
    ways = ({}, {"quality": 30}, {"subsampling": 0})
    content = _cut(jpeg(seed, **ways[number % 3]), 0.42 + 0.04 * number)
    return Made(b"%d.jpg" % number, content + b"\xff\xd9", Reason.IO_TRUNCATED, "end before")


@kind("grey or cmyk jpeg cut short", "of other colours than usual", Reason.IO_TRUNCATED, 8)
def _(number: int, seed: int) -> Made:
    image = Image.fromarray(grain(seed)).convert(("L", "CMYK")[number % 2])
    content = _cut(saved(image, "JPEG"), 0.3 + 0.07 * number)
    return Made(b"%d.jpg" % number, content, Reason.IO_TRUNCATED)


@kind("progressive jpeg cut short", "cut within one of its passes", Reason.IO_TRUNCATED, 8)
def _(number: int, seed: int) -> Made:
    content = _cut(jpeg(seed, progressive=True), 0.3 + 0.07 * number)
    return Made(b"%d.jpg" % number, content, Reason.IO_TRUNCATED)


@kind(
    "jpeg without its end mark",
    "the last two bytes are missing",
    Reason.IO_TRUNCATED,
    6,
    note="every row may be there; a download that broke off two bytes early looks the same",
)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.jpg" % number, jpeg(seed)[:-2], Reason.IO_TRUNCATED)


@kind(
    "jpeg with rubbish",
    "2000 random bytes in its middle",
    Reason.IO_UNREADABLE,
    8,
    note="or `IO_TRUNCATED`, where they use up the data before the picture is full",
)
def _(number: int, seed: int) -> Made:
    content = jpeg(seed, quality=92)
    damaged = patched(content, len(content) * (3 + number % 3) // 8, rubbish(seed, 2000))
    return Made(b"%d.jpg" % number, damaged, Reason.IO_UNREADABLE, also=Reason.IO_TRUNCATED)


@kind(
    "jpeg of a coding unknown here", "says 12 bits, lossless, arithmetic", Reason.IO_UNREADABLE, 4
)
def _(number: int, seed: int) -> Made:
    content = jpeg(seed)
    at = content.index(b"\xff\xc0")
    made = patched(content, at + 4, b"\x0c") if number == 0 else content
    marks = (None, b"\xc3", b"\xc9", b"\xc7")
    made = patched(made, at + 1, marks[number]) if number else made
    return Made(b"%d.jpg" % number, made, Reason.IO_UNREADABLE)


@kind("jpeg higher than its data", "the header adds rows", Reason.IO_TRUNCATED, 4)
def _(number: int, seed: int) -> Made:
    content = jpeg(seed)
    at = content.index(b"\xff\xc0") + 5
    rows = (128, 160, 192, 320)[number]
    return Made(
        b"%d.jpg" % number, patched(content, at, rows.to_bytes(2, "big")), Reason.IO_TRUNCATED
    )


@kind("unusual end of a jpeg", "zeros, text or another picture behind the end", KEPT, 6)
def _(number: int, seed: int) -> Made:
    tails = (bytes(500), b"Photographed by nobody", jpeg(seed + 1), rubbish(seed, 99), b"\0", b"\n")
    return Made(b"%d.jpg" % number, jpeg(seed) + tails[number])


@kind("two pictures in one jpeg", "a second one for depth or gain, as telephones do", KEPT, 3)
def _(number: int, seed: int) -> Made:
    second = Image.fromarray(grain(seed + 1, 24, 32))
    return Made(
        b"%d.jpg" % number, saved(grain(seed), "MPO", save_all=True, append_images=[second])
    )


@kind("another thing under a picture's name", "pages, programs, archives", Reason.FMT_UNKNOWN, 12)
def _(number: int, seed: int) -> Made:
    name, content = list(FOREIGN.items())[number]
    return Made(name, content, Reason.FMT_UNKNOWN)


@kind("random bytes", "of various lengths", Reason.FMT_UNKNOWN, 8)
def _(number: int, seed: int) -> Made:
    content = b"\x01" + rubbish(seed, 3**number)
    return Made(b"%d.%s" % (number, ENDINGS[number]), content, Reason.FMT_UNKNOWN)


@kind("picture of a kind that is not read", ", ".join(OTHER_PICTURES), Reason.FMT_UNKNOWN, 8)
def _(number: int, seed: int) -> Made:
    name = OTHER_PICTURES[number]
    return Made(name.lower().encode(), saved(photograph(seed), name), Reason.FMT_UNKNOWN)


@kind("AVIF and HEIC", "pictures in boxes, one under a clip's name", Reason.FMT_UNKNOWN, 4)
def _(number: int, seed: int) -> Made:
    avif = saved(photograph(seed), "AVIF", speed=10)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60)
    content = (avif, heic, avif, heic.replace(b"ftypheic", b"ftypmif1"))[number]
    name = (b"a.avif", b"b.heic", b"c.mp4", b"d.jpg")[number]
    said = ("AVIF", "HEIF", "AVIF", "HEIF")[number]
    return Made(name, content, Reason.FMT_UNKNOWN, f"content is {said}")


@kind("picture under another's ending", "PNG named .jpg and the like", KEPT, 8)
def _(number: int, seed: int) -> Made:
    kinds = ("JPEG", "PNG", "WEBP")
    made, ending = kinds[number % 3], (b"png", b"jpg", b"jpg", b"webp", b"bmp")[number % 5]
    made = "PNG" if ending == b"webp" else "WEBP" if (made, ending) == ("PNG", b"png") else made
    made = "WEBP" if (made, ending) == ("JPEG", b"jpg") else made
    return Made(
        b"%d.%s" % (number, ending),
        saved(photograph(seed), made),
        says=f"content is {made.lower()}",
    )


@kind("picture under a clip's ending", "JPEG, PNG or WebP named .mp4", Reason.FMT_MISMATCH, 6)
def _(number: int, seed: int) -> Made:
    kinds, endings = ("JPEG", "PNG", "WEBP"), (b"mp4", b"mov", b"webm", b"mkv", b"avi", b"m4v")
    content = saved(photograph(seed), kinds[number % 3])
    return Made(b"%d.%s" % (number, endings[number]), content, Reason.FMT_MISMATCH)


@kind("bomb of pixels", "a header of 10,000 to 65,000 pixels a side", Reason.FMT_BOMB, 8)
def _(number: int, seed: int) -> Made:
    if number < 5:
        side = (10_000, 12_000, 20_000, 30_000, 65_000)[number]
        return Made(b"%d.png" % number, png_of(side, side, bytes(100_000)), Reason.FMT_BOMB)
    if number < 7:
        content = jpeg(seed)
        at = content.index(b"\xff\xc0") + 5
        size = ((10_000, 10_000), (65_500, 65_500))[number - 5]
        large = b"".join(one.to_bytes(2, "big") for one in size)
        return Made(b"%d.jpg" % number, patched(content, at, large), Reason.FMT_BOMB)
    content = saved(photograph(seed), "WEBP", lossless=True)
    at = content.index(b"VP8L") + 9
    bits = int.from_bytes(content[at : at + 4], "little") & 0xF0000000 | 16_000 | 15_000 << 14
    return Made(b"7.webp", patched(content, at, bits.to_bytes(4, "little")), Reason.FMT_BOMB)


@kind(
    "bomb in a note",
    "a PNG's text or profile is 60 megabytes once unpacked",
    Reason.IO_UNREADABLE,
    3,
    note="the picture itself may be whole; who wrote that note is not trusted",
)
def _(number: int, seed: int) -> Made:
    packed = zlib.compress(bytes(60_000_000), 9)
    name, data = (
        (b"zTXt", b"Comment\0\0" + packed),
        (b"iTXt", b"Comment\0\x01\0\0\0" + packed),
        (b"iCCP", b"profile\0\0" + packed),
    )[number]
    content = with_chunk(saved(photograph(seed), "PNG"), name, data)
    return Made(b"%d.png" % number, content, Reason.IO_UNREADABLE, "unpacks to megabytes")


@kind("too small", "1 x 1 up to a side of 63 pixels", Reason.FMT_TOO_SMALL, 6)
def _(number: int, seed: int) -> Made:
    side = (1, 2, 16, 31, 48, 63)[number]
    way = ("PNG", "JPEG", "WEBP")[number % 3]
    content = saved(photograph(seed, side, side), way)
    return Made(b"%d.%s" % (number, way.lower().encode()), content, Reason.FMT_TOO_SMALL)


@kind("strip", "3000 x 8, 3 x 3000 and the like", Reason.FMT_STRIP, 6)
def _(number: int, seed: int) -> Made:
    size = ((8, 3000), (3000, 3), (1, 900), (64, 300), (80, 400), (700, 1))[number]
    return Made(b"%d.png" % number, saved(photograph(seed, *size), "PNG"), Reason.FMT_STRIP)


@kind("png of no size", "0 pixels wide, high, or both", Reason.IO_UNREADABLE, 3)
def _(number: int, seed: int) -> Made:
    size = ((0, 96), (128, 0), (0, 0))[number]
    return Made(b"%d.png" % number, png_of(*size, b"\0"), Reason.IO_UNREADABLE)


@kind(
    "png of a header that is none",
    "depth 3, colour type 5, another length",
    Reason.IO_UNREADABLE,
    4,
)
def _(number: int, seed: int) -> Made:
    body = chunk(b"IDAT", zlib.compress(bytes(50_000))) + chunk(b"IEND", b"")
    heads = (
        png_head(128, 96, bits=3),
        png_head(128, 96, colour=5),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\x80"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"first\0no header"),
    )
    return Made(b"%d.png" % number, heads[number] + body, Reason.IO_UNREADABLE)


@kind("png with a wrong checksum", "a bit is turned within its data", Reason.IO_UNREADABLE, 6)
def _(number: int, seed: int) -> Made:
    content = saved(grain(seed), "PNG")
    at = len(content) * (2 + number) // 10
    damaged = patched(content, at, bytes([content[at] ^ 0x10]))
    return Made(b"%d.png" % number, damaged, Reason.IO_UNREADABLE)


@kind("png cut short", "within its data or before its end", Reason.IO_TRUNCATED, 8)
def _(number: int, seed: int) -> Made:
    content = _cut(saved(grain(seed), "PNG", compress_level=number), 0.1 * (number + 2))
    return Made(b"%d.png" % number, content, Reason.IO_TRUNCATED)


@kind("png of half its rows", "every checksum holds, the rows end early", Reason.IO_TRUNCATED, 4)
def _(number: int, seed: int) -> Made:
    rows = b"".join(b"\0" + row.tobytes() for row in photograph(seed))
    share = (0.1, 0.5, 0.9, 0.98)[number]
    return Made(
        b"%d.png" % number,
        png_of(128, 96, rows[: int(len(rows) * share)]),
        Reason.IO_TRUNCATED,
        "end before",
    )


@kind("animation", "GIF, WebP and PNG of three frames", Reason.FMT_ANIMATED, 6)
def _(number: int, seed: int) -> Made:
    first, *more = (Image.fromarray(photograph(seed + k)) for k in range(3))
    way = ("GIF", "WEBP", "PNG")[number % 3]
    content = saved(first, way, save_all=True, append_images=more)
    ending = (b"gif", b"webp", b"png")[number % 3] if number < 3 else b"jpg"
    return Made(b"%d.%s" % (number, ending), content, Reason.FMT_ANIMATED)


@kind("GIF of one frame", "a kind that is not read", Reason.FMT_UNKNOWN, 2)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.gif" % number, saved(photograph(seed), "GIF"), Reason.FMT_UNKNOWN, "GIF")


@kind("webp cut short", "lossy and lossless", Reason.IO_TRUNCATED, 8)
def _(number: int, seed: int) -> Made:
    content = saved(grain(seed), "WEBP", lossless=bool(number % 2))
    return Made(b"%d.webp" % number, _cut(content, 0.2 + 0.1 * number), Reason.IO_TRUNCATED)


@kind("webp with a hole", "80 zeros in its middle", Reason.IO_UNREADABLE, 4)
def _(number: int, seed: int) -> Made:
    content = saved(grain(seed), "WEBP", quality=90)
    at = len(content) * (3 + number) // 8
    return Made(b"%d.webp" % number, patched(content, at, bytes(80)), Reason.IO_UNREADABLE, "hole")


@kind("lettering", "a sign, a subtitle, a title in large letters", Reason.CONTENT_TEXT, 6)
def _(number: int, seed: int) -> Made:
    picture = np.full((96, 128, 3), 90 + 20 * number, np.uint8)
    words = ("SUBSCRIBE", "CHANNEL 7", "BREAKING", "FOR SALE", "COPYRIGHT", "SOLD OUT")[number]
    for row in (30, 70):
        cv2.putText(picture, words, (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 2)
    return Made(b"%d.png" % number, saved(picture, "PNG"), Reason.CONTENT_TEXT)


@kind("same bytes twice", "a file, and its copy under another name", Reason.DUP_BYTES, 5)
def _(number: int, seed: int) -> list[Made]:
    content = jpeg(seed)
    copy = Made(b"%d-b.jpg" % number, content, Reason.DUP_BYTES, "same bytes as")
    return [Made(b"%d-a.jpg" % number, content), copy]


@kind("same pixels twice", "a JPEG, and what it shows as PNG", Reason.DUP_PIXELS, 4)
def _(number: int, seed: int) -> list[Made]:
    content = jpeg(seed)
    again = saved(Image.open(io.BytesIO(content)), "PNG", compress_level=number + 1)
    copy = Made(b"%d-b.png" % number, again, Reason.DUP_PIXELS, "same pixels as")
    return [Made(b"%d-a.jpg" % number, content), copy]


@kind("nearly the same twice", "made smaller, mirrored, saved again", Reason.DUP_PERCEPTUAL, 6)
def _(number: int, seed: int) -> list[Made]:
    picture = photograph(seed, 192, 256)
    ways = (picture[::2, ::2], picture[:, ::-1], picture)
    again = saved(np.ascontiguousarray(ways[number % 3]), "JPEG", quality=60)
    copy = Made(b"%d-b.jpg" % number, again, Reason.DUP_PERCEPTUAL, "looks like")
    return [Made(b"%d-a.png" % number, saved(picture, "PNG")), copy]
