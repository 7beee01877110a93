"""Who interrupts `generate` gets one true sentence, status 130, and no work goes on behind it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_model.commands import cli, releases, serve
from mm_model.commands.generate import interrupt, work
from mm_model.serving.config import of_profile
from mm_model.serving.mirror import Mirror
from mm_model.settings import load_profile
from tests.serving.conftest import FakeEngine, one_face
from tests.serving.house import House
from tests.serving.test_generate import Command, asked, command, photographs, record_of

__all__ = ["asked", "command", "photographs"]  # fixtures

DIGESTS = dict.fromkeys(("adapter", "backbone", "facepack"), "0" * 64)
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


class SlowEngine(FakeEngine):
    """Takes a twentieth of a second for a step, and tells when the first is done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.ended = threading.Event()
        self.at_work = threading.Event()

    def generate(self, request: Any, references: Any, on_step: Any = None) -> np.ndarray:
        try:
            for index in range(request.steps):
                time.sleep(0.05)
                self.steps += 1
                self.at_work.set()
                if on_step is not None:
                    on_step(index + 1, request.steps)
            return super().generate(request, references)
        finally:
            self.ended.set()


@contextlib.contextmanager
def handlers_as_before() -> Iterator[None]:
    """What was interrupted leaves its handlers, which would end the tests at the next signal."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    hook = sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for one, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(one, handler)


@BOTH
def test_work_ends_at_its_next_step_when_who_waits_is_interrupted(
    root: Path, photographs: list[Path], number: signal.Signals
) -> None:
    engine = SlowEngine()
    mirror = Mirror(of_profile(load_profile(root, "tiny"), DIGESTS), one_face, lambda: engine)
    wanted = mirror.read(record_of(photographs) | {"num_inference_steps": 100})

    def stop() -> None:
        engine.at_work.wait()
        os.kill(os.getpid(), number)

    threading.Thread(target=stop).start()
    with handlers_as_before(), pytest.raises(KeyboardInterrupt), interrupt.heeded():
        mirror.show(wanted, mirror.look(wanted))
    assert engine.ended.wait(5)
    assert engine.steps < 10
    few = mirror.read(record_of(photographs))
    assert mirror.show(few, mirror.look(few))["seed"] == 7, "the next clip is made"


def started(house: House, photographs: list[Path], target: Path) -> subprocess.Popen:
    """A command of many steps, which has read the photographs already."""
    process = subprocess.Popen(
        [
            *[sys.executable, *"-u -m mm_model generate".split()],
            *["--ref", str(photographs[0]), "--prompt", "a woman img smiles"],
            *"--consent synthetic:drawn-1 --seed 11 --steps 100".split(),
            *["-o", str(target)],
        ],
        env={**os.environ, "MM_ROOT": str(house.root)},
        cwd=target.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for line in process.stdout or ():
        if line.startswith("reference picture 1"):
            return process
    raise AssertionError((process.stderr or process).read())


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT, signal.SIGTERM]],
)
def test_an_interrupted_command_ends_with_one_sentence(
    served_house: House, photographs: list[Path], tmp_path: Path, signals: list[signal.Signals]
) -> None:
    process = started(served_house, photographs, tmp_path / "clip.mp4")
    time.sleep(0.5 * len(signals))
    for number in signals:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(err.splitlines()) <= 1 and "Traceback" not in err
    if len(signals) == 1:
        assert "the clip was not made and nothing of it is kept; --seed 11" in err
    assert not list(tmp_path.iterdir())


class _Finaliser:
    """Whose end is when the signal comes: what is raised there, Python prints and passes over."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self._number)
        time.sleep(0.01)


@BOTH
def test_a_signal_that_meets_a_finaliser_is_not_lost(
    number: signal.Signals, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with handlers_as_before(), pytest.raises(KeyboardInterrupt), interrupt.heeded():
        found = _Finaliser(number)
        del found
        assert interrupt._signals.is_over
        with pytest.raises(KeyboardInterrupt), interrupt.held_back():
            raise AssertionError("nothing is written after it")
        for _ in range(300):
            time.sleep(0.01)
        raise AssertionError("the work goes on")
    assert "ignored" not in capfd.readouterr().err


@BOTH
def test_a_signal_that_a_finaliser_meets_after_the_work_comes_too_late(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with handlers_as_before():
        with interrupt.heeded():
            with interrupt.held_back():
                done = True
            found = _Finaliser(number)
            del found
        for _ in range(30):
            time.sleep(0.01)
        assert done


def test_the_same_seed_makes_the_clip_that_was_given_up(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(*asked, "-o", tmp_path / "whole.mp4")
    seen: list[dict] = []

    def interrupted(choice: Any, shown: Any, consent: Any, wish: work.Wish, say: Any) -> None:
        seen.append(wish.values)
        raise KeyboardInterrupt

    at = asked.index("--seed")
    del asked[at : at + 2]
    with monkeypatch.context() as patch:
        patch.setattr(work, "_made", interrupted)
        status, _, err = command(*asked, "-o", tmp_path / "clip.mp4")
    assert status == 130 and f"--seed {seen[0]['seed']} " in err
    with monkeypatch.context() as patch:
        patch.setattr(work, "_made", interrupted)
        status, _, err = command("--again", tmp_path / "whole.json")
    assert status == 130 and "its record stays as it is" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.json", "whole.mp4"]


def test_who_interrupts_while_the_clip_is_written_comes_too_late(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def interrupted(self: Path, content: bytes) -> int:
        if self.suffix == ".mp4":
            os.kill(os.getpid(), signal.SIGINT)
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with handlers_as_before():
        status, out, _ = command(*asked, "-o", tmp_path / "clip.mp4")
    assert status == 0 and out.splitlines()[-1].endswith("clip.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.json", "clip.mp4"]


def test_a_full_disk_says_that_the_clip_is_lost_and_how_to_make_it(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    status, _, err = command(*asked, "-o", tmp_path / "clip.mp4")
    assert status == 1 and "the disk is full" in err
    assert "finished work is kept" not in err
    assert "the clip is not kept, --seed 7 (SEED=7 for make) makes the same one" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "true"),
    [
        (["serve"], "nothing is served"),
        (["use"], "may be half made"),
        (["page"], "stays as it is"),
        (["figures"], "nothing was changed"),
        (["rollback"], "releases' shows"),
        (["run", "faces"], "the next run resumes"),
    ],
)
def test_each_command_says_what_is_true_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: list[str], true: str
) -> None:
    for error in (KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device", "x")):

        def fail(*_: Any, error: BaseException = error) -> None:
            raise error

        for module in (cli, releases, serve):
            for name in ("_layout", "layout_of_the_tree", "repository_root"):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, fail)
        status = cli.main(arguments)
        err = capsys.readouterr().err
        full = isinstance(error, OSError)
        assert status == (1 if full else 130)
        assert ("finished work is kept" if full and arguments[0] == "run" else true) in err
        assert ("finished work" in err) == (arguments[0] == "run")
