"""Clips that are broken, no clips at all, or odd and yet to be kept."""

import struct
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.media.encode import mp4_bytes
from mm_model.records import Reason
from tests.bad_inputs.drawn import (
    box,
    clip,
    coded,
    footage,
    grain,
    grainy_footage,
    jpeg,
    patched,
    photograph,
    rubbish,
    saved,
    without_box,
)
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind
from tests.media.filmed import MATRICES, turned

QUIET = {"x265-params": "log-level=none:pools=none"}
CODECS = {
    b"hevc.mp4": ("libx265", "yuv420p", QUIET),
    b"av1.mp4": ("libsvtav1", "yuv420p", {"preset": "12", "crf": "40"}),
    b"av1.mkv": ("libsvtav1", "yuv420p", {"preset": "12", "crf": "40"}),
    b"vp9.webm": ("libvpx-vp9", "yuv420p", {"crf": "30", "b": "0", "cpu-used": "8"}),
    b"vp8.webm": ("libvpx", "yuv420p", {"b": "1M"}),
    b"mpeg4.mp4": ("mpeg4", "yuv420p", {"b": "1M"}),
    b"mjpeg.mov": ("mjpeg", "yuvj420p", {"b": "2M"}),
    b"full.mp4": ("libx264", "yuv444p", {"crf": "20"}),
    b"h264.mkv": ("libx264", "yuv420p", {"crf": "20"}),
    b"h264.mov": ("libx264", "yuv420p", {"crf": "20"}),
}
FOREIGN = {
    b"list.mp4": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\n/etc/passwd\n",
    b"list.mov": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    b"session.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n",
    b"riff.mp4": b"RIFF\x24\0\0\0AVI LIST" + bytes(60),
    b"flash.mp4": b"FLV\x01\x05\0\0\0\x09\0\0\0\0" + bytes(60),
    b"stream.mp4": (b"G\x40\0\x10" + bytes(184)) * 4,
    b"ogg.webm": b"OggS\0\x02" + bytes(60),
    b"windows.mp4": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(60),
    b"page.mov": b"<html><body>Sign in to continue</body></html>",
    b"raw.mp4": b"\0\0\0\x01\x67\x42\0\x0a" + bytes(60),
}


def _muxed(name: str, fill: Callable[[Any], None], **options: str) -> bytes:
    """A container that `fill` writes into, as bytes."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        exact = {"fflags": "+bitexact"} | options
        with av.open(str(path), "w", options=exact) as container:
            fill(container)
        return path.read_bytes()


def _sound(container: Any, codec: str = "aac") -> None:
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


def _film(container: Any, frames: np.ndarray, rate: int = 8, codec: str = "libx264") -> None:
    import av

    stream = container.add_stream(codec, rate=rate, options={"threads": "1"})
    stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
    for picture in frames:
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode(None))


def _with_cover(content: bytes, picture: bytes) -> bytes:
    """An MP4 whose index comes last with an album's picture in its notes, as music has one."""
    at = content.rindex(b"moov") - 4
    data = box(b"data", struct.pack(">II", 13, 0) + picture)
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    notes = box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", box(b"covr", data))))
    return content[:at] + box(b"moov", content[at + 8 :] + notes)


@kind("clip without its index", "an MP4 whose box moov is gone", Reason.IO_UNREADABLE, 4)
def _(number: int, seed: int) -> Made:
    content = without_box(clip(seed), b"moov")
    return Made(b"%d.mp4" % number, content, Reason.IO_UNREADABLE, "moov")


@kind("clip cut before its index", "index last, as cameras write it", Reason.IO_TRUNCATED, 6)
def _(number: int, seed: int) -> Made:
    content = coded(grainy_footage(seed), options={"crf": "12"})
    return Made(
        b"%d.mp4" % number, content[: len(content) * (number + 2) // 9], Reason.IO_TRUNCATED
    )


@kind(
    "clip cut behind its index",
    "index first: it announces frames that are not there",
    Reason.IO_TRUNCATED,
    8,
)
def _(number: int, seed: int) -> Made:
    content = mp4_bytes(grainy_footage(seed), 8)
    share = 0.2 + 0.1 * number
    return Made(b"%d.mp4" % number, content[: int(len(content) * share)], Reason.IO_TRUNCATED)


@kind("webm cut short", "Matroska and WebM", Reason.IO_TRUNCATED, 6)
def _(number: int, seed: int) -> Made:
    content = coded(grainy_footage(seed), "a.mkv", options={"crf": "12"})
    share = 0.3 + 0.1 * number
    ending = (b"mkv", b"webm")[number % 2]
    return Made(
        b"%d.%s" % (number, ending), content[: int(len(content) * share)], Reason.IO_TRUNCATED
    )


@kind("nothing but a clip's mark", "a first box or header, then nothing", Reason.IO_UNREADABLE, 4)
def _(number: int, seed: int) -> Made:
    heads = (
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"\x1aE\xdf\xa3\x80",
        b"\0\0\0\x08wide",
        box(b"ftyp", b"isom\0\0\2\0isom") + box(b"free", bytes(900)),
    )
    return Made(b"%d.mp4" % number, heads[number], Reason.IO_UNREADABLE)


@kind("boxes larger than the file", "of 2 GiB, of 2^63, of 3 bytes", Reason.IO_TRUNCATED, 3)
def _(number: int, seed: int) -> Made:
    first = box(b"ftyp", b"isom\0\0\2\0isom")
    bad = (
        b"\x7f\xff\xff\xffmdat" + bytes(900),
        b"\0\0\0\x01mdat" + b"\x7f" + b"\xff" * 7 + bytes(900),
        b"\0\x10\0\0moov" + bytes(64),
    )[number]
    return Made(b"%d.mp4" % number, first + bad, Reason.IO_TRUNCATED)


@kind("bits turned in a clip", "every 37th byte of the coded pictures", Reason.VID_DECODE_ERROR, 6)
def _(number: int, seed: int) -> Made:
    content = bytearray(mp4_bytes(grainy_footage(seed), 8, crf=10))
    for place in range(content.index(b"mdat") + 200 + number, len(content) - 20, 37):
        content[place] ^= 0x5A
    return Made(b"%d.mp4" % number, bytes(content), Reason.VID_DECODE_ERROR, "damaged after frame")


@kind("hole in a clip", "400 zeros in its middle", Reason.VID_DECODE_ERROR, 8)
def _(number: int, seed: int) -> Made:
    ways = (("libx264", {"crf": "12"}), ("libx265", QUIET | {"crf": "12"}))
    codec, options = ways[number % 2]
    content = coded(grainy_footage(seed), codec=codec, options=options)
    at = len(content) * (4 + number // 2) // 10
    return Made(b"%d.mp4" % number, patched(content, at, bytes(400)), Reason.VID_DECODE_ERROR)


@kind(
    "more frames announced than held", "the index is cut short by some", Reason.VID_DECODE_ERROR, 4
)
def _(number: int, seed: int) -> Made:
    content = mp4_bytes(grainy_footage(seed), 8)
    at = content.index(b"stsz") + 12
    sizes = at + 4
    # The last pictures have no byte left.
    made = patched(content, sizes + 4 * (8 + number), b"\0" * 4 * (4 - number))
    return Made(b"%d.mp4" % number, made, Reason.VID_DECODE_ERROR)


@kind("index of 2,000 million frames", "hardly a byte behind it", Reason.IO_UNREADABLE, 1)
def _(number: int, seed: int) -> Made:
    content = mp4_bytes(footage(seed), 8)
    many = patched(content, content.index(b"stsz") + 12, b"\x7f\xff\xff\xf0")
    return Made(b"0.mp4", many, Reason.IO_UNREADABLE)


@kind("times of 2,000 million frames", "more than a worker may hold", Reason.FMT_BOMB, 1)
def _(number: int, seed: int) -> Made:
    content = mp4_bytes(footage(seed), 8)
    many = patched(content, content.index(b"stts") + 8, b"\x7f\xff\xff\xf0")
    return Made(b"0.mp4", many, Reason.FMT_BOMB)


@kind("codec nobody knows", "the name of the codec is another", Reason.VID_NO_VIDEO_STREAM, 3)
def _(number: int, seed: int) -> Made:
    content = mp4_bytes(footage(seed), 8)
    at = content.index(b"avc1", content.index(b"stsd"))
    name = (b"zzzz", b"drmi", b"\0\0\0\0")[number]
    return Made(b"%d.mp4" % number, patched(content, at, name), Reason.VID_NO_VIDEO_STREAM)


@kind("encrypted clip", "by common encryption, the key is elsewhere", Reason.VID_DECODE_ERROR, 3)
def _(number: int, seed: int) -> Made:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": f"{seed:032x}",
        "encryption_kid": f"{seed + 1:032x}",
    }
    content = _muxed("a.mp4", lambda c: _film(c, grainy_footage(seed)), **options)
    return Made(b"%d.mp4" % number, content, Reason.VID_DECODE_ERROR)


@kind("sound alone", "MP4, MOV, Matroska", Reason.VID_NO_VIDEO_STREAM, 4)
def _(number: int, seed: int) -> Made:
    name = ("a.mp4", "a.mov", "a.mkv", "a.webm")[number]
    codec = ("aac", "aac", "aac", "libopus")[number]
    content = _muxed(name, lambda c: _sound(c, codec))
    return Made(b"%d%s" % (number, name[1:].encode()), content, Reason.VID_NO_VIDEO_STREAM)


@kind("sound with a cover picture", "the one picture is the album's", Reason.VID_NO_VIDEO_STREAM, 2)
def _(number: int, seed: int) -> Made:
    content = _with_cover(_muxed(("a.mp4", "a.mov")[number], _sound), jpeg(seed))
    return Made((b"0.mp4", b"1.mov")[number], content, Reason.VID_NO_VIDEO_STREAM)


@kind("clip with a cover picture", "the moving picture is taken", KEPT, 2)
def _(number: int, seed: int) -> Made:
    cover = saved(grain(seed, 480, 640), "JPEG")
    content = _with_cover(coded(footage(seed), options={"crf": "20"}), cover)
    return Made(b"%d.mp4" % number, content, size=(96, 96))


@kind("two moving pictures", "the larger one is taken", KEPT, 2)
def _(number: int, seed: int) -> Made:
    import av

    def fill(container: Any) -> None:
        streams = []
        for frames in (footage(seed)[:, ::2, ::2], footage(seed)):
            stream = container.add_stream("libx264", rate=8, options={"threads": "1"})
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
            streams.append((stream, frames))
        for stream, frames in streams:
            for picture in frames:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    content = _muxed(("a.mp4", "a.mkv")[number], fill)
    return Made((b"0.mp4", b"1.mkv")[number], content, size=(96, 96))


@kind("too few frames", "one to eight where nine are wanted", Reason.VID_TOO_SHORT, 8)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.mp4" % number, clip(seed, number + 1), Reason.VID_TOO_SHORT)


@kind("too many frames", "41 to 70 where 40 are allowed", Reason.VID_TOO_LONG, 4)
def _(number: int, seed: int) -> Made:
    frames = footage(seed, 41 + 9 * number, 1)
    return Made(b"%d.mp4" % number, mp4_bytes(frames, 8), Reason.VID_TOO_LONG)


@kind("picture under a clip's picture's name", "an MP4 or WebM named .jpg", Reason.FMT_MISMATCH, 4)
def _(number: int, seed: int) -> Made:
    name = (b"a.jpg", b"b.png", b"c.webp", b"d.jpeg")[number]
    content = clip(seed) if number % 2 else coded(footage(seed), "a.mkv")
    return Made(name, content, Reason.FMT_MISMATCH)


@kind("clip under another clip's ending", "an MP4 named .mkv and the like", KEPT, 4)
def _(number: int, seed: int) -> Made:
    name = (b"a.mkv", b"b.mp4", b"c.webm", b"d")[number]
    content = coded(footage(seed), "a.mkv") if number == 1 else clip(seed)
    return Made(name, content, says="content is")


@kind(
    "another thing under a clip's name",
    "playlists, streams, other containers",
    Reason.FMT_UNKNOWN,
    10,
)
def _(number: int, seed: int) -> Made:
    name, content = list(FOREIGN.items())[number]
    return Made(name, content, Reason.FMT_UNKNOWN)


@kind("codecs and containers that are read", "H.265, AV1, VP9, VP8, MPEG-4, MJPEG, 4:4:4", KEPT, 10)
def _(number: int, seed: int) -> Made:
    name, (codec, pix_fmt, options) = list(CODECS.items())[number]
    return Made(name, coded(footage(seed), name.decode(), codec, pix_fmt, options=options))


@kind("uneven times", "frames 20 to 170 milliseconds apart", KEPT, 3)
def _(number: int, seed: int) -> Made:
    import av

    def fill(container: Any) -> None:
        stream = container.add_stream("libx264", rate=30, options={"threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 96, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 500 * number  # the first frame need not be at 0
        for place, picture in enumerate(footage(seed)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            time += 20 + 37 * (place % 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    return Made(b"%d.mp4" % number, _muxed("a.mp4", fill))


@kind("odd rates", "1, 240 and 1000 frames a second", KEPT, 3)
def _(number: int, seed: int) -> Made:
    rate = (1, 240, 1000)[number]
    return Made(b"%d.mp4" % number, _muxed("a.mp4", lambda c: _film(c, footage(seed), rate)))


@kind("trimmed by an edit list", "a part of the frames is shown", KEPT, 3)
def _(number: int, seed: int) -> Made:
    from tests.media.test_media_damage import trimmed

    content = coded(footage(seed, 30), options={"g": "12", "crf": "20"})
    span = ((0, 20), (10, 25), (5, 30))[number]
    return Made(b"%d.mp4" % number, trimmed(content, *span))


@kind("trimmed to nothing", "an edit list that shows one frame", Reason.VID_TOO_SHORT, 1)
def _(number: int, seed: int) -> Made:
    from tests.media.test_media_damage import trimmed

    content = coded(footage(seed, 30), options={"g": "12", "crf": "20"})
    return Made(b"0.mp4", trimmed(content, 13, 14), Reason.VID_TOO_SHORT)


@kind("turned by its container", "all seven turns and mirrors", KEPT, 7)
def _(number: int, seed: int) -> Made:
    name = sorted(MATRICES)[number]
    frames = np.stack([photograph(seed, 96, 160)[:, 2 * i : 2 * i + 128] for i in range(12)])
    upright = name in ("180", "mirrored", "upside down")
    content = turned(mp4_bytes(frames, 8), name)
    return Made(b"%d.mp4" % number, content, size=(128, 96) if upright else (96, 128))


@kind("pixels that are not square", "4:3 and 2:1 of a width", KEPT, 4)
def _(number: int, seed: int) -> Made:
    sar = (Fraction(4, 3), Fraction(2, 1), Fraction(3, 4), Fraction(8, 9))[number]
    content = coded(footage(seed), sar=sar)
    return Made(b"%d.mp4" % number, content, says="not square", size=(round(96 * sar), 96))


@kind("ten bits, PQ, HLG, BT.2020", "deep and wide colours", KEPT, 4)
def _(number: int, seed: int) -> Made:
    high = {"color_primaries": 9, "colorspace": 9, "color_range": 1}
    tags = (None, high | {"color_trc": 16}, high | {"color_trc": 18}, high | {"color_trc": 14})
    content = coded(footage(seed), pix_fmt="yuv420p10le", tags=tags[number])
    return Made(b"%d.mp4" % number, content, says="10 bits a sample")


@kind("interlaced", "two fields a frame", KEPT, 1)
def _(number: int, seed: int) -> Made:
    content = coded(footage(seed), options={"flags": "+ilme+ildct"})
    return Made(b"0.mp4", content, says="interlaced")


@kind("notes that are no UTF-8", "title and encoder in another encoding", KEPT, 3)
def _(number: int, seed: int) -> Made:
    def fill(container: Any) -> None:
        container.metadata["title"] = "Cafexxx"
        _film(container, footage(seed))

    name = ("a.mp4", "a.mkv", "a.mov")[number]
    content = _muxed(name, fill).replace(b"Cafexxx", b"Caf\xe9\xff\xfe\x80")
    return Made(b"%d%s" % (number, name[1:].encode()), content)


@kind("nothing moves", "one frame twelve times", Reason.CONTENT_STATIC, 4)
def _(number: int, seed: int) -> Made:
    still = np.repeat(footage(seed, 1), 12 + number, axis=0)
    return Made(b"%d.mp4" % number, mp4_bytes(still, 8), Reason.CONTENT_STATIC)


@kind("two scenes", "a cut in the middle", Reason.CONTENT_CUT, 4)
def _(number: int, seed: int) -> Made:
    frames = np.concatenate([footage(seed, 6 + number), footage(seed + 1, 6) // 5])
    return Made(b"%d.mp4" % number, mp4_bytes(frames, 8), Reason.CONTENT_CUT)


@kind("clip that is a strip", "a banner, a ticker", Reason.FMT_STRIP, 3)
def _(number: int, seed: int) -> Made:
    height, width = ((16, 96), (96, 16), (18, 240))[number]
    wide = photograph(seed, height, width + 40)
    frames = np.stack([wide[:, i * 3 : i * 3 + width] for i in range(12)])
    return Made(b"%d.mp4" % number, mp4_bytes(frames, 8), Reason.FMT_STRIP)


@kind("clip too small", "16 to 62 pixels", Reason.FMT_TOO_SMALL, 3)
def _(number: int, seed: int) -> Made:
    side = (16, 32, 62)[number]
    frames = np.ascontiguousarray(footage(seed)[:, :side, :side])
    return Made(b"%d.mp4" % number, mp4_bytes(frames, 8), Reason.FMT_TOO_SMALL)


@kind("bomb of frames", "every frame says that it has hundreds of megapixels", Reason.FMT_BOMB, 2)
def _(number: int, seed: int) -> Made:
    content = coded(footage(seed), "a.mov", "mjpeg", "yuvj420p", options={"b": "2M"})
    side = struct.pack(">HH", *((20_000, 12_000), (15_000, 9_000))[number])
    content = patched(content, content.index(b"jpeg", content.index(b"stsd")) + 28, side)
    at = content.find(b"\xff\xc0\0\x11\x08")
    while at >= 0:
        content = patched(content, at + 5, side)
        at = content.find(b"\xff\xc0\0\x11\x08", at + 5)
    return Made(b"%d.mov" % number, content, Reason.FMT_BOMB)


@kind("rubbish behind a clip", "appended bytes", KEPT, 3)
def _(number: int, seed: int) -> Made:
    tail = (box(b"free", rubbish(seed, 300)), box(b"skip", b""), box(b"uuid", bytes(16)))[number]
    return Made(b"%d.mp4" % number, clip(seed) + tail)
