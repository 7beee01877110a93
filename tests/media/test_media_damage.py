"""Damage that still decodes is told apart from what is only unusual."""

import io
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mm_model.media.decode import read_frames
from mm_model.media.examine import MediaLimits, examine
from mm_model.media.failure import MediaError
from mm_model.media.images import load_picture
from mm_model.records import Reason
from tests.media.filmed import encoded

LIMITS = MediaLimits(89_000_000, 2000)
END = b"\xff\xd9"


def photograph(seed: int = 3, height: int = 240, width: int = 320) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def footage(number: int = 40) -> np.ndarray:
    wide = photograph(2, 144, 192 + number)
    return np.stack([wide[:, i : i + 192] for i in range(number)])


def saved(picture: np.ndarray | Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def by_opencv(*options: int) -> bytes:
    return cv2.imencode(".jpg", photograph(), list(options))[1].tobytes()


def with_thumbnail() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "camera"
    exif.get_ifd(0x8769)[0x927C] = saved(photograph(9, 60, 80))
    return saved(photograph(), exif=exif)


JPEGS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: saved(photograph()),
    "small quality": lambda: saved(photograph(), quality=5),
    "full colour": lambda: saved(photograph(), subsampling=0, quality=100),
    "half colour": lambda: saved(photograph(), subsampling=1),
    "progressive": lambda: saved(photograph(), progressive=True),
    "optimised": lambda: saved(photograph(), optimize=True),
    "restart markers": lambda: saved(photograph(), restart_marker_rows=1),
    "grey": lambda: saved(photograph()[..., 0]),
    "cmyk": lambda: saved(Image.fromarray(photograph()).convert("CMYK")),
    "rgb kept": lambda: saved(photograph(), keep_rgb=True),
    "odd size": lambda: saved(photograph(5, 67, 131)),
    "by opencv": lambda: by_opencv(cv2.IMWRITE_JPEG_QUALITY, 80),
    "progressive by opencv": lambda: by_opencv(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts by opencv": lambda: by_opencv(cv2.IMWRITE_JPEG_RST_INTERVAL, 7),
    "4:4:0": lambda: by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x121111),
    "4:1:1": lambda: by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x411111),
    "thumbnail inside": with_thumbnail,
    "two pictures": lambda: saved(
        photograph(), "MPO", save_all=True, append_images=[Image.fromarray(photograph(4))]
    ),
}


@pytest.mark.parametrize("name", sorted(JPEGS))
def test_an_ordinary_jpeg_is_kept_and_its_half_is_not_whatever_end_it_got(name: str) -> None:
    content = JPEGS[name]()
    assert load_picture(content).pixels.shape[2] == 3
    first = (
        content[: content.index(END, len(content) // 3) + 2] if name == "two pictures" else content
    )
    for share in (0.5, 0.7, 0.9):
        with pytest.raises(MediaError, match=r"end before the picture does|are damaged") as refused:
            load_picture(first[: int(len(first) * share)] + END)
        # A progressive scan that breaks off may end in the middle of a code word.
        cut = {Reason.IO_TRUNCATED} | ({Reason.IO_UNREADABLE} if "progressive" in name else set())
        assert refused.value.reason in cut
        assert refused.value.measured["codec"] == "jpeg"


def test_unusual_endings_of_a_whole_jpeg_are_kept() -> None:
    content = saved(photograph())
    expected = load_picture(content).pixels
    for unusual in (
        content + b"\0" * 500,
        content + saved(photograph(4)),
        content[:-2] + b"\0" + END,
    ):
        assert np.array_equal(load_picture(unusual).pixels, expected)


def test_a_coding_the_strict_decoder_does_not_know_is_left_to_the_loader() -> None:
    content = bytearray(saved(photograph()))
    content[content.index(b"\xff\xc0") + 1] = 0xC9  # says: arithmetic coding
    with pytest.raises(MediaError) as refused:
        load_picture(bytes(content))
    assert "end before" not in refused.value.message


def _chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def test_a_png_of_half_its_rows_is_refused_though_every_checksum_holds() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in photograph())
    head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 2, 0, 0, 0))

    def png(data: bytes) -> bytes:
        return head + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")

    assert np.array_equal(load_picture(png(rows)).pixels, photograph())
    for part in (len(rows) // 2, len(rows) - 961):
        with pytest.raises(MediaError, match="end before the picture does"):
            load_picture(png(rows[:part]))


def test_a_hole_in_a_lossy_webp_is_refused() -> None:
    content = bytearray(saved(photograph(), "WEBP"))
    assert load_picture(bytes(content)).kind == "webp"
    content[len(content) // 2 : len(content) // 2 + 80] = bytes(80)
    with pytest.raises(MediaError, match="hole") as refused:
        load_picture(bytes(content))
    assert refused.value.reason == Reason.IO_UNREADABLE


CODECS = {
    "libx264": ("a.mp4", {"crf": "20"}),
    "libx265": ("a.mp4", {"x265-params": "log-level=none"}),
    "libvpx-vp9": ("a.webm", {"crf": "30", "b": "0"}),
    "libvpx": ("a.webm", {"b": "1M"}),
    "mpeg4": ("a.mp4", {"b": "1M"}),
    "libsvtav1": ("a.mkv", {"crf": "30"}),
}


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_hole_in_the_middle_of_a_clip_is_told(tmp_path: Path, codec: str) -> None:
    name, options = CODECS[codec]
    path = encoded(tmp_path / name, footage(), codec, options=options)
    assert examine(path, LIMITS)["num_frames"] == 40
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(MediaError) as refused:
        examine(path, LIMITS)
    assert refused.value.reason == Reason.VID_DECODE_ERROR
    assert refused.value.value < 40


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libsvtav1"])
def test_rubbish_in_a_clip_is_told_as_far_as_the_codec_can_tell(tmp_path: Path, codec: str) -> None:
    name, options = CODECS[codec]
    path = encoded(tmp_path / name, footage(), codec, options=options)
    content, rng = path.read_bytes(), np.random.default_rng(1)
    told = []
    for start in rng.integers(len(content) // 4, len(content) * 3 // 4, 20):
        damaged = bytearray(content)
        damaged[start : start + 300] = rng.integers(0, 256, 300).astype(np.uint8).tobytes()
        path.write_bytes(damaged)
        try:
            examine(path, LIMITS)
        except MediaError as refused:
            told.append((refused.reason, refused.measured["width"], "damaged" in refused.message))
    assert set(told) == {(Reason.VID_DECODE_ERROR, 192, True)}
    assert len(told) >= 15  # arithmetic coding makes some picture of anything


def test_a_matroska_clip_whose_reader_skips_a_part_is_told(tmp_path: Path) -> None:
    import av

    path = encoded(tmp_path / "a.webm", footage(), "libvpx-vp9", options={"crf": "30", "b": "0"})
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos]
    content = bytearray(path.read_bytes())
    content[places[20] : places[20] + 4] = b"\x13\x37\x42\x99"
    path.write_bytes(content)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) < 40  # without a word
    with pytest.raises(MediaError, match=r"damaged after frame .*track number"):
        examine(path, LIMITS)


def cut_at_second_key(source: Path, target: Path, **options: str) -> Path:
    """A copy of the coded pictures from the second key picture on, as quick cutters make it."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w", options=options) as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        keys, shift = 0, 0
        for packet in given.demux(stream):
            if packet.dts is None:
                continue
            keys += packet.is_keyframe
            shift = shift or (packet.dts if keys == 2 else 0)
            if keys >= 2:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                made.mux(packet)
    return target


GROUPS = {
    "closed": ("libx264", {"g": "12", "x264-params": "bframes=3"}),
    "open": ("libx264", {"g": "12", "x264-params": "open-gop=1:bframes=3"}),
    "open h265": ("libx265", {"x265-params": "log-level=none:keyint=12:min-keyint=12:open-gop=1"}),
    "refresh": ("libx264", {"g": "12", "x264-params": "intra-refresh=1:bframes=0"}),
}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_whole_clips_of_any_group_of_pictures_are_kept(
    tmp_path: Path, group: str, name: str
) -> None:
    path = encoded(
        tmp_path / f"whole-{name}", footage(), GROUPS[group][0], options=GROUPS[group][1]
    )
    assert examine(path, LIMITS)["num_frames"] == 40


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("group", ["closed", "open", "open h265"])
def test_a_clip_cut_without_coding_is_kept_with_the_frames_readers_give(
    tmp_path: Path, group: str, name: str
) -> None:
    path = encoded(tmp_path / "whole.mp4", footage(), GROUPS[group][0], options=GROUPS[group][1])
    whole = read_frames(path)
    cut = cut_at_second_key(path, tmp_path / name)
    seen = examine(cut, LIMITS)["num_frames"]
    assert 12 <= seen < 40
    for reader in ("decord", "pyav"):
        frames = read_frames(cut, reader=reader)
        assert len(frames) == seen
        assert np.abs(frames.astype(int) - whole[-seen:]).mean() < 0.01


def trimmed(content: bytes, first: int, last: int, fps: int = 8) -> bytes:
    """An MP4 whose edit list shows frames `first` to `last` alone, as a phone trims."""
    box = content.index(b"elst")
    shift = int.from_bytes(content[box + 16 : box + 20], "big")
    length = (last - first) * 1000 // fps  # the movie counts milliseconds, the track 16384ths
    entry = length.to_bytes(4, "big") + (shift + first * 16384 // fps).to_bytes(4, "big")
    return content[: box + 12] + entry + content[box + 20 :]


@pytest.mark.parametrize("span", [(0, 20), (15, 35), (5, 40), (13, 14)])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_clip_trimmed_by_an_edit_list_is_the_part_that_is_shown(
    tmp_path: Path, codec: str, span: tuple[int, int]
) -> None:
    options = {"g": "12"} if codec == "libx264" else {"x265-params": "log-level=none:keyint=12"}
    path = encoded(tmp_path / "a.mp4", footage(), codec, options=options)
    whole = read_frames(path)
    path.write_bytes(trimmed(path.read_bytes(), *span))
    assert examine(path, LIMITS)["num_frames"] == span[1] - span[0]
    for reader in ("decord", "pyav"):
        assert np.array_equal(read_frames(path, reader=reader), whole[slice(*span)])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mkv", {"live": "1"}),
        ("a.mkv", {"write_crc32": "1", "cluster_size_limit": "3000"}),
        ("a.mov", {}),
    ],
)
def test_unusual_containers_are_kept(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = encoded(tmp_path / "whole.mp4", footage(), options={"g": "12"})
    cut = cut_at_second_key(path, tmp_path / name, **options)
    assert examine(cut, LIMITS)["num_frames"] == 28


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, 144, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 0
        for number, picture in enumerate(footage()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            time += 20 + 37 * (number % 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert examine(path, LIMITS)["num_frames"] == 40


@pytest.mark.capability("strangers' files", scale="R")
def test_no_real_file_is_taken_for_damaged(real_media: Path) -> None:
    for path in sorted(real_media.iterdir()):
        if path.suffix in (".jpg", ".mp4"):
            assert examine(path, LIMITS)["notes"] is not None, path.name
