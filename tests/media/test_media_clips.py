"""Clips: writing gives equal bytes, both readers give equal upright frames."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mm_model.media.decode import read_frames
from mm_model.media.encode import mp4_bytes, write_mp4
from mm_model.media.examine import MediaLimits, examine
from mm_model.media.failure import MediaError
from mm_model.media.probe import probe
from mm_model.records import Reason
from tests.media.filmed import usual_turn

_TURN_RIGHT = (0, 65536, 0, -65536, 0, 0, 64 << 16, 0, 1 << 30)


def moving(number: int = 9, height: int = 64, width: int = 96) -> np.ndarray:
    """A red upper left quarter on black, growing brighter from frame to frame."""
    frames = np.zeros((number, height, width, 3), np.uint8)
    frames[:, : height // 2, : width // 2] = (200, 0, 0)
    return frames + np.arange(0, 5 * number, 5, dtype=np.uint8)[:, None, None, None]


def turned(content: bytes, matrix: tuple[int, ...] = _TURN_RIGHT) -> bytes:
    """The same MP4 with a display matrix in its track header."""
    box = content.index(b"tkhd")
    at = box + 4 + 4 + (20 if content[box + 4] == 0 else 32) + 16
    packed = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    return content[:at] + packed + content[at + 36 :]


def with_codec(path: Path, codec: str, frames: np.ndarray) -> Path:
    import av

    with usual_turn(), av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_same_frames_give_same_bytes_with_the_index_first(tmp_path: Path) -> None:
    content = mp4_bytes(moving(), 8)
    assert content == mp4_bytes(moving(), 8)
    assert content.index(b"moov") < content.index(b"mdat")
    write_mp4(tmp_path / "a.mp4", moving(), 8)
    assert (tmp_path / "a.mp4").read_bytes() == content


def test_frames_survive_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, moving(), 12.5)
    seen = probe(path)
    assert (seen.codec, seen.width, seen.height, seen.fps) == ("h264", 96, 64, 12.5)
    assert seen.declared_frames == 9
    frames = read_frames(path)
    assert np.abs(frames.astype(int) - moving()).mean() < 3


def uneven(path: Path) -> Path:
    """Twelve frames in 32/30 of a second, as a phone films into the dark: six at 30 a second, then
    slower ones; the container's finest step stays 1/30."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        places = (*range(6), *range(6, 32, 5))
        for place, picture in zip(places, moving(12), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_the_rate_of_an_uneven_clip_is_its_frames_over_its_seconds(tmp_path: Path) -> None:
    """Training thins a clip out by that rate: the finest step of time would speed it up."""
    path = uneven(tmp_path / "a.mp4")
    seen, facts = probe(path), examine(path, MediaLimits(1 << 20, 100))
    assert seen.seconds == pytest.approx(32 / 30)
    assert seen.fps == facts["fps"] == pytest.approx(12 * 30 / 32)
    assert facts["num_frames"] == len(read_frames(path)) == 12


@pytest.mark.parametrize("reader", ["decord", "pyav"])
def test_a_frame_of_an_uneven_clip_goes_by_its_number_not_by_its_time(
    tmp_path: Path, reader: str
) -> None:
    frames = read_frames(uneven(tmp_path / "a.mp4"), [0, 5, 7, 11], reader)
    apart = np.abs(frames[:, None].astype(int) - moving(12)[None]).mean(axis=(2, 3, 4))
    assert apart.argmin(axis=1).tolist() == [0, 5, 7, 11]


def test_odd_sizes_are_padded_by_repeating_the_edge(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", moving(3, 63, 95), 8)
    frames = read_frames(tmp_path / "a.mp4")
    assert frames.shape == (3, 64, 96, 3)
    assert np.abs(frames[:, -1].astype(int) - frames[:, -2]).mean() < 4


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (8, 8, 3), (2, 8, 8, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="frames are uint8"):
        mp4_bytes(np.zeros(shape, np.uint8), 8)


def test_both_readers_agree_and_turn_the_picture_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    path.write_bytes(turned(mp4_bytes(moving(), 8)))
    assert (probe(path).width, probe(path).height) == (64, 96)
    with_decord, with_pyav = read_frames(path), read_frames(path, reader="pyav")
    assert with_decord.shape == with_pyav.shape == (9, 96, 64, 3)
    assert np.abs(with_decord.astype(int) - with_pyav).mean() < 1
    assert with_decord[0, 5, -5, 0] > 150 > with_decord[0, 5, 5, 0]


@pytest.mark.parametrize("reader", ["decord", "pyav"])
def test_indices_are_kept_in_order_and_checked(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, moving(), 8)
    everything = read_frames(path, reader=reader)
    assert np.array_equal(read_frames(path, [7, 2, 7], reader), everything[[7, 2, 7]])
    with pytest.raises(IndexError, match="9 frames"):
        read_frames(path, [3, 9], reader)


def test_av1_which_decord_cannot_read_falls_back(tmp_path: Path) -> None:
    path = with_codec(tmp_path / "a.mp4", "libsvtav1", moving())
    frames = read_frames(path, [0, 8])
    assert frames.shape == (2, 64, 96, 3)
    assert frames[0, 5, 5, 0] > 150


def test_real_clips_read_alike(real_media: Path) -> None:
    path = real_media / "driving_d18.mp4"
    chosen = [0, 100, 215]
    apart = read_frames(path, chosen).astype(int) - read_frames(path, chosen, "pyav")
    assert np.abs(apart).mean() < 1


def test_a_playlist_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    with pytest.raises(MediaError) as refused:
        probe(path)
    assert refused.value.reason == Reason.FMT_UNKNOWN


@pytest.mark.parametrize("codec_and_name", [("libx264", "a.mp4"), ("libvpx-vp9", "a.webm")])
def test_every_cut_of_a_clip_is_refused(tmp_path: Path, codec_and_name: tuple[str, str]) -> None:
    from mm_model.media.examine import MediaLimits, examine

    codec, name = codec_and_name
    path = with_codec(tmp_path / name, codec, moving())
    limits = MediaLimits(1_000_000, 100)
    assert examine(path, limits)["num_frames"] == 9
    content = path.read_bytes()
    for part in range(2, 16):
        path.write_bytes(content[: len(content) * part // 16])
        with pytest.raises(MediaError) as refused:
            examine(path, limits)
        assert refused.value.reason == Reason.IO_TRUNCATED, part


@pytest.fixture
def no_decord(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a platform for which decord has no wheel."""
    monkeypatch.setitem(sys.modules, "decord", None)


@pytest.mark.usefixtures("no_decord")
def test_without_decord_a_clip_gives_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, upright = tmp_path / "straight.mp4", tmp_path / "turned.mp4"
    straight.write_bytes(mp4_bytes(moving(), 8))
    upright.write_bytes(turned(mp4_bytes(moving(), 8)))
    for path in (straight, upright):
        without = [read_frames(path), read_frames(path, [7, 2, 7])]
        with monkeypatch.context() as there:
            there.delitem(sys.modules, "decord")
            usual = [read_frames(path), read_frames(path, [7, 2, 7])]
        for ours, theirs in zip(without, usual, strict=True):
            assert ours.shape == theirs.shape
            assert np.abs(ours.astype(int) - theirs).max() <= 3
    with pytest.raises(IndexError, match="9 frames"):
        read_frames(straight, [3, 9])


@pytest.mark.usefixtures("no_decord")
def test_without_decord_real_clips_read_alike(
    real_media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = real_media / "driving_d18.mp4"
    without = read_frames(path, [0, 100, 215]).astype(int)
    with monkeypatch.context() as there:
        there.delitem(sys.modules, "decord")
        assert np.abs(without - read_frames(path, [0, 100, 215])).mean() < 1


def test_only_one_module_asks_for_decord(root: Path) -> None:
    asking = {
        path.name
        for top in ("mm_model", "assets", "orchestration")
        for path in (root / top).rglob("*.py")
        if "import decord" in path.read_text()
    }
    assert asking == {"decode.py"}
