"""Frames of any width, turn and pixel shape: both readers and the check give the right picture."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.ingest.sandbox import Allowance, Sandbox, opened
from mm_model.media.decode import read_frames
from mm_model.media.encode import mp4_bytes
from mm_model.media.failure import MediaError
from mm_model.media.probe import probe
from mm_model.store import digests
from tests.media.filmed import MATRICES, SHOWN, encoded, scene, turned

pytestmark = pytest.mark.capability("pictures as they are meant", scale="T")

ROOMY = Allowance(seconds=60, memory_mb=1024, max_pixels=89_000_000, max_frames=2000)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    with opened(ROOMY) as one:
        yield one


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


@pytest.mark.parametrize("size", [(1080, 1920), (854, 480), (1366, 768), (540, 960), (302, 300)])
def test_usual_sizes_of_phones_and_pages_are_read_right(
    tmp_path: Path, sandbox: Sandbox, size: tuple[int, int]
) -> None:
    frames = scene(*size)
    fast = {"crf": "12", "preset": "ultrafast"}
    content = encoded(tmp_path / "a.mp4", frames, options=fast).read_bytes()
    for turn in (None, "90"):
        path = tmp_path / f"{turn}.mp4"
        path.write_bytes(turned(content, turn))
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
    [
        (Fraction(4, 3), (144, 108), (192, 108)),
        (Fraction(8, 9), (72, 48), (64, 48)),
        (Fraction(64, 45), (180, 144), (256, 144)),
    ],
)
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
        with opened(Allowance(60, 1024, **limits)) as strict, pytest.raises(MediaError) as refused:
            strict.check(path)
        assert refused.value.reason == reason
