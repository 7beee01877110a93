"""Frames of any width, turn and pixel shape: both readers and the check give the right picture."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.media.decode import read_frames
from mm_model.media.encode import mp4_bytes
from mm_model.media.failure import MediaError
from mm_model.media.probe import probe
from mm_model.media.sandbox import Allowance, Sandbox
from mm_model.store import digests

ROOMY = Allowance(seconds=60, memory_mb=1024, max_pixels=89_000_000, max_frames=2000)
ONE = 1 << 16
MATRICES = {
    "90": (0, ONE, -ONE, 0), "180": (-ONE, 0, 0, -ONE), "270": (0, -ONE, ONE, 0),
    "mirrored": (-ONE, 0, 0, ONE), "upside down": (ONE, 0, 0, -ONE),
    "transposed": (0, ONE, ONE, 0), "transverse": (0, -ONE, -ONE, 0),
}  # fmt: skip
SHOWN = {
    None: lambda p: p, "90": lambda p: np.rot90(p, -1), "180": lambda p: np.rot90(p, 2),
    "270": lambda p: np.rot90(p, 1), "mirrored": np.fliplr, "upside down": np.flipud,
    "transposed": lambda p: p.transpose(1, 0, 2),
    "transverse": lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    with Sandbox(ROOMY) as one:
        yield one


def scene(width: int, height: int, number: int = 3) -> np.ndarray:
    """Smooth scenery, different in every corner, that moves."""
    coarse = np.random.default_rng(4).integers(20, 235, (4, 6, 3), np.uint8)
    wide = cv2.resize(coarse, (width + 8, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, 2 * i : 2 * i + width] for i in range(number)])


def turned(content: bytes, name: str | None) -> bytes:
    """The same MP4 with a display matrix in its track header."""
    if name is None:
        return content
    a, b, c, d = MATRICES[name]
    box = content.index(b"tkhd")
    at = box + 4 + 4 + (20 if content[box + 4] == 0 else 32) + 16
    matrix = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    packed = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    return content[:at] + packed + content[at + 36 :]


def encoded(
    path: Path, frames: np.ndarray, codec: str = "libx264", pix_fmt: str = "yuv420p",
    sar: Fraction | None = None, tags: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8, options=options or {"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        if sar is not None:
            stream.codec_context.sample_aspect_ratio = sar
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        given = "rgb24" if frames.dtype == np.uint8 else "rgb48le"
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format=given)
            container.mux(stream.encode(_in_yuv(frame, pix_fmt, tags or {})))
        container.mux(stream.encode(None))
    return path


def _in_yuv(frame, pix_fmt: str, tags: dict[str, int]):
    spaces = {9: 9, 1: 1}
    frame = frame.reformat(
        format=pix_fmt, dst_colorspace=spaces.get(tags.get("colorspace")), dst_color_range=1
    )
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame


def assert_alike(seen: np.ndarray, expected: np.ndarray, within: float = 4.0) -> None:
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).mean() < within


def assert_reads_as(
    path: Path, expected: np.ndarray, sandbox: Sandbox, within: float = 4.0
) -> dict:
    """The check, the probe and both readers say the same of `path`; the facts."""
    facts = sandbox.check(path, thumbnail=True)
    height, width = expected.shape[1:3]
    assert (facts["width"], facts["height"], facts["num_frames"]) == (width, height, len(expected))
    assert (probe(path).width, probe(path).height) == (width, height)
    for reader in ("decord", "pyav"):
        assert_alike(read_frames(path, reader=reader), expected, within)
    assert_alike(read_frames(path, [2, 0]), expected[[2, 0]], within)
    return facts


@pytest.mark.parametrize("turn", [None, "90", "180", "270"])
def test_every_width_is_read_right_however_it_is_turned(
    tmp_path: Path, sandbox: Sandbox, turn: str | None
) -> None:
    for width in range(64, 97, 2):
        path = tmp_path / f"{width}.mp4"
        frames = scene(width, 66)
        path.write_bytes(turned(mp4_bytes(frames, 8), turn))
        assert_reads_as(path, np.stack([SHOWN[turn](f) for f in frames]), sandbox)


def test_odd_sizes_are_read_right(tmp_path: Path, sandbox: Sandbox) -> None:
    for number, width in enumerate(range(65, 97, 2)):
        frames = scene(width, 63 + 2 * (number % 2))
        path = encoded(tmp_path / f"{width}.mp4", frames, pix_fmt="yuv444p")
        assert_reads_as(path, frames, sandbox)
    frames = scene(67, 65)
    path = encoded(tmp_path / "odd.webm", frames, "libvpx-vp9", options={"crf": "10", "b": "0"})
    assert_reads_as(path, frames, sandbox)


@pytest.mark.parametrize(
    "size", [(1080, 1920), (854, 480), (1366, 768), (540, 960), (302, 300), (1170, 2532)]
)
def test_usual_sizes_of_phones_and_pages_are_read_right(
    tmp_path: Path, sandbox: Sandbox, size: tuple[int, int]
) -> None:
    frames = scene(*size)
    for turn in (None, "90"):
        path = tmp_path / f"{turn}.mp4"
        path.write_bytes(turned(mp4_bytes(frames, 8), turn))
        assert_reads_as(path, np.stack([SHOWN[turn](f) for f in frames]), sandbox)


@pytest.mark.parametrize("turn", sorted(set(MATRICES) - {"90", "180", "270"}))
def test_a_mirrored_clip_is_shown_as_a_player_shows_it(
    tmp_path: Path, sandbox: Sandbox, turn: str
) -> None:
    frames = scene(70, 64)
    path = tmp_path / "mirrored.mp4"
    path.write_bytes(turned(mp4_bytes(frames, 8), turn))
    assert_reads_as(path, np.stack([SHOWN[turn](f) for f in frames]), sandbox)


def test_equal_pixels_have_equal_digests_however_they_lie_in_memory() -> None:
    padded = np.zeros((8, 32, 3), np.uint8)
    padded[:, :20] = scene(20, 8, 1)[0]
    plain = np.ascontiguousarray(padded[:, :20])
    assert digests.of_pixels(padded[:, :20], "a") == digests.of_pixels(plain, "a")
    turned_twice = np.rot90(np.rot90(plain, 1).copy(), -1)
    assert digests.of_pixels(turned_twice) == digests.of_pixels(plain)
    assert digests.of_pixels(plain, "a") != digests.of_pixels(plain, "b")


@pytest.mark.parametrize(
    ("sar", "stored", "shown"),
    [(Fraction(4, 3), (144, 108), (192, 108)), (Fraction(8, 9), (72, 48), (64, 48)),
     (Fraction(64, 45), (180, 144), (256, 144))],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pixels_that_are_not_square_are_made_square_everywhere(
    tmp_path: Path, sandbox: Sandbox, sar: Fraction, stored: tuple, shown: tuple, name: str
) -> None:
    frames = scene(*stored)
    path = encoded(tmp_path / name, frames, sar=sar)
    expected = np.stack([cv2.resize(f, shown, interpolation=cv2.INTER_CUBIC) for f in frames])
    facts = assert_reads_as(path, expected, sandbox)
    assert "not square" in facts["notes"][0]


def test_square_pixels_come_before_the_turn(tmp_path: Path, sandbox: Sandbox) -> None:
    frames = scene(144, 108)
    path = encoded(tmp_path / "a.mp4", frames, sar=Fraction(4, 3))
    path.write_bytes(turned(path.read_bytes(), "90"))
    wide = [cv2.resize(f, (192, 108), interpolation=cv2.INTER_CUBIC) for f in frames]
    assert_reads_as(path, np.stack([SHOWN["90"](f) for f in wide]), sandbox)


def test_a_pixel_shape_that_is_nearly_square_changes_nothing(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    frames = scene(128, 96)
    path = encoded(tmp_path / "a.mp4", frames, sar=Fraction(160, 159))
    assert assert_reads_as(path, frames, sandbox)["notes"] == []


def test_a_wide_pixel_shape_counts_towards_the_limits(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", scene(128, 96), sar=Fraction(60, 1))
    for change, reason in ({"max_pixels": 100_000}, "FMT_BOMB"), ({"max_aspect": 4.0}, "FMT_STRIP"):
        limits = {"max_pixels": 89_000_000, "max_frames": 2000} | change
        with Sandbox(Allowance(60, 1024, **limits)) as strict, pytest.raises(MediaError) as refused:
            strict.check(path)
        assert refused.value.reason == reason
