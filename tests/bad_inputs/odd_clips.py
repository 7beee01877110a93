"""Clips that are odd and mostly kept: other codecs, times, turns and colours; or dull ones."""

import struct
from fractions import Fraction
from typing import Any

import numpy as np

from mm_model.media.encode import mp4_bytes
from mm_model.records import Reason
from tests.bad_inputs.clips import QUIET
from tests.bad_inputs.drawn import (
    box,
    clip,
    coded,
    film,
    footage,
    muxed,
    patched,
    photograph,
    rubbish,
)
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind
from tests.media.filmed import MATRICES, steady, turned

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


@kind("codecs and containers that are read", "H.265, AV1, VP9, VP8, MPEG-4, MJPEG, 4:4:4", KEPT, 10)
def _(number: int, seed: int) -> Made:
    name, (codec, pix_fmt, options) = list(CODECS.items())[number]
    return Made(name, coded(footage(seed), name.decode(), codec, pix_fmt, options=options))


@kind("uneven times", "frames 20 to 170 milliseconds apart", KEPT, 3)
def _(number: int, seed: int) -> Made:
    import av

    def fill(container: Any) -> None:
        stream = container.add_stream("libx264", rate=30, options=steady(options={}))
        stream.height, stream.width, stream.pix_fmt = 96, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 500 * number  # the first frame need not be at 0
        for place, picture in enumerate(footage(seed)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            time += 20 + 37 * (place % 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    return Made(b"%d.mp4" % number, muxed("a.mp4", fill))


@kind("odd rates", "1, 240 and 1000 frames a second", KEPT, 3)
def _(number: int, seed: int) -> Made:
    rate = (1, 240, 1000)[number]
    return Made(b"%d.mp4" % number, muxed("a.mp4", lambda c: film(c, footage(seed), rate)))


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
        film(container, footage(seed))

    name = ("a.mp4", "a.mkv", "a.mov")[number]
    content = muxed(name, fill).replace(b"Cafexxx", b"Caf\xe9\xff\xfe\x80")
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
