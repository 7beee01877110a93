"""Clips that are broken, no clips at all, or odd and yet to be kept."""

from typing import Any

import numpy as np

from mm_model.media.encode import mp4_bytes
from mm_model.records import Reason
from tests.bad_inputs.drawn import (
    box,
    clip,
    coded,
    film,
    footage,
    grain,
    grainy_footage,
    jpeg,
    muxed,
    patched,
    saved,
    sound,
    with_cover,
    without_box,
)
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind
from tests.media.filmed import steady

QUIET = {"x265-params": "log-level=none:pools=none"}
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
    content = muxed("a.mp4", lambda c: film(c, grainy_footage(seed)), **options)
    return Made(b"%d.mp4" % number, content, Reason.VID_DECODE_ERROR)


@kind("sound alone", "MP4, MOV, Matroska", Reason.VID_NO_VIDEO_STREAM, 4)
def _(number: int, seed: int) -> Made:
    name = ("a.mp4", "a.mov", "a.mkv", "a.webm")[number]
    codec = ("aac", "aac", "aac", "libopus")[number]
    content = muxed(name, lambda c: sound(c, codec))
    return Made(b"%d%s" % (number, name[1:].encode()), content, Reason.VID_NO_VIDEO_STREAM)


@kind("sound with a cover picture", "the one picture is the album's", Reason.VID_NO_VIDEO_STREAM, 2)
def _(number: int, seed: int) -> Made:
    content = with_cover(muxed(("a.mp4", "a.mov")[number], sound), jpeg(seed))
    return Made((b"0.mp4", b"1.mov")[number], content, Reason.VID_NO_VIDEO_STREAM)


@kind("clip with a cover picture", "the moving picture is taken", KEPT, 2)
def _(number: int, seed: int) -> Made:
    cover = saved(grain(seed, 480, 640), "JPEG")
    content = with_cover(coded(footage(seed), options={"crf": "20"}), cover)
    return Made(b"%d.mp4" % number, content, size=(96, 96))


@kind("two moving pictures", "the larger one is taken", KEPT, 2)
def _(number: int, seed: int) -> Made:
    import av

    def fill(container: Any) -> None:
        streams = []
        for frames in (footage(seed)[:, ::2, ::2], footage(seed)):
            stream = container.add_stream("libx264", rate=8, options=steady(options={}))
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
            streams.append((stream, frames))
        for stream, frames in streams:
            for picture in frames:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    content = muxed(("a.mp4", "a.mkv")[number], fill)
    return Made((b"0.mp4", b"1.mkv")[number], content, size=(96, 96))


@kind("too few frames", "one to eight where nine are wanted", Reason.VID_TOO_SHORT, 8)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.mp4" % number, clip(seed, number + 1), Reason.VID_TOO_SHORT)


@kind("too many frames", "41 to 70 where 40 are allowed", Reason.VID_TOO_LONG, 4)
def _(number: int, seed: int) -> Made:
    frames = footage(seed, 41 + 9 * number, 1)
    return Made(b"%d.mp4" % number, mp4_bytes(frames, 8), Reason.VID_TOO_LONG)


@kind("clip under a picture's ending", "an MP4 or WebM named .jpg", Reason.FMT_MISMATCH, 4)
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
