"""High dynamic range and wide colours become standard in every reader; what is lost is noted."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_model.media import frames as developing
from mm_model.media.decode import read_frames
from mm_model.media.examine import MediaLimits, examine
from mm_model.media.failure import MediaError
from mm_model.media.images import load_picture
from mm_model.media.sniff import accepted_kind, kind_of
from mm_model.records import Reason
from tests.media.filmed import encoded, scene

pytestmark = pytest.mark.capability("pictures as they are meant", scale="T")

LIMITS = MediaLimits(89_000_000, 2000)
PATCHES = np.array(
    [
        [(235, 235, 235), (128, 128, 128), (40, 40, 40), (224, 172, 105), (141, 85, 36)],
        [(200, 40, 40), (40, 160, 60), (50, 60, 190), (198, 134, 66), (255, 219, 172)],
    ]
)
"""Standard colours, greys and skin among them."""

TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""Linear BT.709 to linear BT.2020 (ITU-R BT.2087)."""

WHITE_NITS = 203  # ITU-R BT.2408: where diffuse white lies in high dynamic range
HIGH = {"color_primaries": 9, "colorspace": 9, "color_range": 1}


def pq(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    y = (np.clip(nits, 0, None) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(nits: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 on a display of 1000 nits, system gamma 1.2."""
    luminance = nits @ np.array([0.2627, 0.678, 0.0593])
    scale = np.maximum(luminance / 1000, 1e-9) ** (1 / 1.2 - 1) / 1000
    e = np.clip(nits * scale[..., None], 0, 1)
    high = 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    return np.where(e <= 1 / 12, np.sqrt(3 * e), high)


def film(patches: np.ndarray) -> np.ndarray:
    """Three frames of `patches` (values 0-1), each 32 pixels wide, as uint16."""
    picture = np.kron(patches, np.ones((32, 32, 1)))
    return np.repeat((np.clip(picture, 0, 1) * 65535).round().astype(np.uint16)[None], 3, axis=0)


def in_2020(curve) -> np.ndarray:
    """The patches as light of the same colour under another curve, and a highlight."""
    nits = (PATCHES / 255) ** 2.4 * WHITE_NITS
    bright = np.full((2, 1, 3), 900.0)
    return curve(np.concatenate([nits, bright], axis=1) @ TO_2020.T)


def middles(picture: np.ndarray) -> np.ndarray:
    return picture[16::32, 16::32].astype(int)


def assert_as_meant(seen: np.ndarray, within: float) -> None:
    """Greys and skin lie `within` values of 255; strong colours, dim in one channel, in thrice."""
    apart = np.abs(seen[:, :5] - PATCHES)
    muted = np.ones(PATCHES.shape[:2], bool)
    muted[1, :3] = False
    assert apart[muted].max() <= within, apart
    assert apart.max() <= 3 * within and apart.mean() <= within / 2, apart


CASES = {
    "PQ": (in_2020(pq), 16, "high dynamic range (PQ)"),
    "HLG": (in_2020(hlg), 18, "high dynamic range (HLG)"),
    "BT.2020": (in_2020(lambda nits: np.clip(nits / WHITE_NITS, 0, 1) ** (1 / 2.4)), 14, "BT.2020"),
}


@pytest.mark.parametrize(
    ("name", "codec"), [("PQ", "libx264"), ("HLG", "libx265"), ("BT.2020", "libx265")]
)
def test_other_ranges_look_as_they_were_meant_to_in_every_reader(
    tmp_path: Path, name: str, codec: str
) -> None:
    light, curve, said = CASES[name]
    options = {"crf": "4"} if codec == "libx264" else {"x265-params": "log-level=none:crf=4"}
    path = encoded(
        tmp_path / "a.mp4",
        film(light),
        codec,
        "yuv420p10le",
        tags=HIGH | {"color_trc": curve},
        options=options,
    )
    facts = examine(path, LIMITS, thumbnail=True)
    assert said in facts["notes"][0] and "10 bits a sample reduced to 8" in facts["notes"]
    for reader in ("decord", "pyav"):
        seen = middles(read_frames(path, reader=reader)[1])
        assert_as_meant(seen[:, :5], within=7)
        assert (seen[:, 5] >= 250).all()  # clipped, not wrapped


def test_colours_that_cannot_be_converted_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    class Unable:
        def reformat(self, *_: object, **wanted: object) -> None:
            raise av.error.FFmpegError(1, "unsupported")

    monkeypatch.setattr(developing, "_converter", Unable)
    with pytest.raises(MediaError, match="PQ colours cannot be converted") as refused:
        developing.in_standard_range(np.zeros((16, 16, 3), np.uint8), 9, 16)
    assert refused.value.reason == Reason.FMT_HDR


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options", "note"),
    [
        ("libx264", "yuv420p10le", {}, "10 bits a sample reduced to 8"),
        (
            "libx265",
            "yuv420p10le",
            {"x265-params": "log-level=none"},
            "10 bits a sample reduced to 8",
        ),
        ("libx264", "yuv420p", {"flags": "+ilme+ildct"}, "interlaced"),
    ],
)
def test_deep_and_interlaced_clips_are_kept_with_a_note(
    tmp_path: Path, codec: str, pix_fmt: str, options: dict, note: str
) -> None:
    frames = scene(96, 64)
    path = encoded(tmp_path / "a.mp4", frames, codec, pix_fmt, options=options)
    assert examine(path, LIMITS)["notes"] == [note]
    assert np.abs(read_frames(path).astype(int) - frames).mean() < 5


def test_an_ordinary_clip_has_no_note(tmp_path: Path) -> None:
    tags = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 1}
    frames = scene(96, 64)
    path = encoded(tmp_path / "a.mp4", frames, tags=tags)
    assert examine(path, LIMITS)["notes"] == []
    assert np.abs(read_frames(path).astype(int) - frames).mean() < 4


def _png(width: int, height: int, depth: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_deep_png_is_kept_with_a_note() -> None:
    picture = film(PATCHES / 255)[0]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture)
    loaded = load_picture(_png(160, 64, 16, rows))
    assert loaded.notes == ("16 bits a sample reduced to 8",)
    assert np.abs(middles(loaded.pixels) - PATCHES).max() <= 1
    grey = Image.fromarray(np.full((64, 64), 30_000, np.uint16))
    buffer = io.BytesIO()
    grey.save(buffer, "PNG")
    assert load_picture(buffer.getvalue()).notes == ("16 bits a sample reduced to 8",)


def test_a_png_in_high_dynamic_range_becomes_standard() -> None:
    light, curve, said = CASES["HLG"]
    picture = (film(light)[0] // 257).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    loaded = load_picture(_png(192, 64, 8, rows, (b"cICP", bytes([9, curve, 0, 1]))))
    assert said in loaded.notes[0]
    assert_as_meant(middles(loaded.pixels), within=10)
    plain = load_picture(_png(192, 64, 8, rows, (b"cICP", bytes([1, 13, 0, 1]))))
    assert plain.notes == () and np.array_equal(plain.pixels, picture)


def test_a_picture_in_bands_is_the_picture_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_model.media import stills

    rng = np.random.default_rng(2)
    layers = rng.integers(0, 255, (64, 48, 4), np.uint8)
    layers[:20, :, 3] = 255
    for image in (Image.fromarray(layers), Image.fromarray(layers[..., 0]).quantize(9)):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        whole = load_picture(buffer.getvalue())
        monkeypatch.setattr(stills, "_BAND_PIXELS", 48 * 5)
        banded = load_picture(buffer.getvalue())
        monkeypatch.undo()
        assert np.array_equal(whole.pixels, banded.pixels) and whole.notes == banded.notes


def test_avif_is_called_avif() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(buffer, "AVIF")
    heads = {
        "avif": [
            buffer.getvalue()[:64],
            b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
            b"\0\0\0\x18ftypavis\0\0\0\0avis",
        ],
        "heif": [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"],
        "mp4": [b"\0\0\0\x18ftypisom\0\0\0\0isomavc1"],
    }
    for kind, starts in heads.items():
        assert [kind_of(start) for start in starts] == [kind] * len(starts)
    with pytest.raises(MediaError, match="content is AVIF") as refused:
        accepted_kind(heads["avif"][0], ".jpg")
    assert refused.value.reason == Reason.FMT_UNKNOWN
