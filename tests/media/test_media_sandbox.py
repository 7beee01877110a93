"""The sandbox: a file may hang, swamp or kill the child, and the next file is still checked."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mm_model.ingest.sandbox import Allowance, Sandbox, opened
from mm_model.media.encode import write_mp4
from mm_model.media.failure import MediaError
from mm_model.records import Reason
from mm_model.run.pools import local, patience
from mm_model.run.pools.patience import processor_seconds
from mm_model.settings import load_profile

pytestmark = pytest.mark.capability("strangers' files", scale="T")

ROOMY = Allowance(seconds=60, memory_mb=1024, max_pixels=89_000_000, max_frames=2000)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "picture.png"
    Image.fromarray(np.full((80, 100, 3), 90, np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "long.mp4"
    shade = (np.arange(400) % 200).astype(np.uint8)
    write_mp4(path, np.broadcast_to(shade[:, None, None, None], (400, 256, 256, 3)), 25)
    return path


def reason_of(sandbox: Sandbox, path: Path) -> Reason:
    with pytest.raises(MediaError) as refused:
        sandbox.check(path)
    return refused.value.reason


def child() -> int:
    """Number of the worker that was started last."""
    return max(multiprocessing.active_children(), key=lambda p: int(p.name.split("-")[1])).pid


def test_facts_of_a_picture_and_of_a_clip(picture: Path, long_clip: Path) -> None:
    with opened(ROOMY) as sandbox:
        seen = sandbox.check(picture)
        assert (seen["media"], seen["width"], seen["height"], seen["num_frames"]) == (
            "image",
            100,
            80,
            1,
        )
        assert seen["thumbnail"] is None
        clip = sandbox.check(long_clip, thumbnail=True)
        assert (clip["media"], clip["num_frames"], clip["fps"]) == ("clip", 400, 25.0)
        assert clip["codec"] == "h264" and clip["thumbnail"]


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_served(
    picture: Path, long_clip: Path
) -> None:
    hurried = Allowance(seconds=0.03, memory_mb=1024, max_pixels=89_000_000, max_frames=2000)
    with opened(hurried) as sandbox:
        late, found = sandbox.check_all([(long_clip, False), (picture, False)])
        assert late.reason == Reason.VID_DECODE_TIMEOUT
        assert found["media"] == "image"


@contextlib.contextmanager
def on_a_busy_machine() -> Iterator[None]:
    """The child gets a tenth of a core, as it would among many others."""
    ended = threading.Event()

    def hold_back() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError, ValueError):
                pid = child()
                os.kill(pid, signal.SIGSTOP)
                ended.wait(0.09)
                os.kill(pid, signal.SIGCONT)
            ended.wait(0.01)

    thread = threading.Thread(target=hold_back)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").is_file(), reason="this system does not tell processor time"
)


@needs_proc
def test_a_busy_machine_makes_no_file_hang(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, np.full((90, 256, 256, 3), 80, np.uint8), 25)
    with opened(ROOMY) as sandbox:
        sandbox.check(clip)
        before = processor_seconds(child())
        wanted = sandbox.check(clip)
        cost = processor_seconds(child()) - before
    with opened(replace(ROOMY, seconds=3 * cost)) as sandbox:
        sandbox.check(clip)
        with on_a_busy_machine():
            assert sandbox.check(clip) == wanted


@needs_proc
def test_a_child_that_stands_still_is_given_up(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_SHORTEST_WINDOW", 1.0)
    begin = local._Worker._begin

    def begin_and_stop(worker: local._Worker) -> None:
        begin(worker)
        os.kill(worker.pid, signal.SIGSTOP)

    monkeypatch.setattr(local._Worker, "_begin", begin_and_stop)
    with opened(replace(ROOMY, seconds=0.5)) as sandbox:
        assert reason_of(sandbox, long_clip) == Reason.VID_DECODE_TIMEOUT


def test_work_done_before_does_not_excuse_standing_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that worked for a while and then hangs is given up one window later."""
    now, used = [0.0], [0.0]
    monkeypatch.setattr(patience, "processor_seconds", lambda pid: used[0])
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: now[0]))
    watched = patience.Patience(1, 10.0)
    for now[0], used[0], over in ((9, 1, False), (11, 1, False), (20, 1, False), (22, 1, True)):
        assert watched.over() == over, now[0]
    watched = patience.Patience(1, 10.0)
    for now[0], used[0] in ((33, 1.1), (44, 1.2), (55, 1.3)):
        assert not watched.over(), "slow is not still"
    used[0] = 11.0
    assert watched.over(), "its allowance is used up"


def test_a_picture_beyond_the_memory_limit_is_refused_not_fatal(
    tmp_path: Path, picture: Path
) -> None:
    big = tmp_path / "big.png"
    Image.new("RGB", (8000, 8000)).save(big, compress_level=1)
    with opened(Allowance(60, 64, 89_000_000, 100)) as sandbox:
        assert reason_of(sandbox, big) == Reason.FMT_BOMB
        assert sandbox.check(picture)["width"] == 100


def test_a_killed_child_is_replaced(picture: Path) -> None:
    with opened(ROOMY) as sandbox:
        sandbox.check(picture)
        os.kill(child(), signal.SIGKILL)
        assert sandbox.check(picture)["width"] == 100


def test_a_file_that_always_kills_the_child_fails_after_two_tries(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, begin = [], local._Worker._begin

    def die_and_begin(worker: local._Worker) -> None:
        started.append(worker.pid)
        os.kill(worker.pid, signal.SIGSEGV)
        begin(worker)

    monkeypatch.setattr(local._Worker, "_begin", die_and_begin)
    with opened(ROOMY) as sandbox:
        assert reason_of(sandbox, picture) == Reason.SYS_WORKER_CRASH
    assert len(set(started)) == 2


def test_odd_files_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_Worker", None)  # nobody is started for them
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with opened(ROOMY) as sandbox:
        assert reason_of(sandbox, pipe) == Reason.IO_UNREADABLE
        assert reason_of(sandbox, tmp_path / "absent.jpg") == Reason.SYS_IO


def test_several_children_answer_in_order(picture: Path, long_clip: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with opened(ROOMY, 2) as sandbox:
        found = list(sandbox.check_all([(long_clip, False), (picture, False), (empty, False)]))
    assert [f["media"] for f in found[:2]] == ["clip", "image"]
    assert found[2].reason == Reason.IO_EMPTY


def test_the_child_cannot_write_files(tmp_path: Path, root: Path) -> None:
    target = tmp_path / "written"
    code = (
        "from mm_model.run.pools.child import confine; confine()\n"
        f"open({str(target)!r}, 'wb', buffering=0).write(b'x' * 100)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False)
    assert done.returncode != 0
    assert target.stat().st_size == 0


def _lossless_webp(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(np.dstack([pixels, pixels[..., 0]])).save(
        path, lossless=True, quality=0, method=0
    )


def _deep_png(path: Path, pixels: np.ndarray) -> None:
    import cv2

    deep = np.dstack([pixels, pixels[..., 0]]).astype(np.uint16) * 200
    cv2.imwrite(str(path), deep, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _progressive_jpeg(path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).convert("CMYK").save(path, progressive=True, quality=92, exif=exif)


@pytest.mark.parametrize(
    ("name", "save"),
    [("a.webp", _lossless_webp), ("a.png", _deep_png), ("a.jpg", _progressive_jpeg)],
)
def test_memory_stays_in_proportion_to_what_the_profiles_allow(
    tmp_path: Path, root: Path, picture: Path, name: str, save: Callable[[Path, np.ndarray], None]
) -> None:
    side = 2400
    rules = load_profile(root, "tiny").ingest
    coarse = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    save(tmp_path / name, np.kron(coarse, np.ones((8, 8, 1), np.uint8)))
    # A band of rows and the libraries' own buffers cost the same for every picture.
    share = 96 + rules.decode_memory_mb * side**2 / rules.max_pixels
    with opened(Allowance(60, round(share), rules.max_pixels, 100)) as sandbox:
        sandbox.check(picture)
        assert sandbox.check(tmp_path / name)["width"] == side


@pytest.mark.slow
@pytest.mark.parametrize("save", [_lossless_webp, _deep_png, _progressive_jpeg])
def test_any_picture_within_the_pixel_limit_fits_the_memory_limit(
    tmp_path: Path, root: Path, save: Callable[[Path, np.ndarray], None]
) -> None:
    rules = load_profile(root, "tiny").ingest
    assert rules.decode_memory_mb <= 1536
    suffix = {_lossless_webp: "webp", _deep_png: "png", _progressive_jpeg: "jpg"}[save]
    coarse = np.random.default_rng(0).integers(0, 255, (943, 943, 3)).astype(np.uint8)
    save(tmp_path / f"a.{suffix}", np.kron(coarse, np.ones((10, 10, 1), np.uint8)))
    with opened(Allowance(600, rules.decode_memory_mb, rules.max_pixels, 100)) as sandbox:
        assert sandbox.check(tmp_path / f"a.{suffix}")["height"] == 9430
