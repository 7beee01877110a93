"""Cut off anywhere, a training goes on bit for bit: what the disk holds at each moment suffices."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from mm_model.generation.backbone import Backbone
from mm_model.settings import TrainSettings, load_profile
from mm_model.store import atomic, sealed
from mm_model.train import state
from mm_model.train.loop import Trainer
from mm_model.train.shards import ShardSet
from tests.nn import tiny
from tests.train.test_loop import toy_backbone, toy_data

pytestmark = [pytest.mark.slow, pytest.mark.capability("resume", scale="T")]

EVERY = 2
LEAST = 20
"""Places at which a training is cut off."""


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    quick = {
        "steps": 7,
        "batch_size": 2,
        "streams": 1,
        "log_every": 1,
        "sample_every": 100,
        "checkpoint_every": EVERY,
        "identity_loss_from_step": 1,
        "warmup_steps": 2,
        "ema_decay": 0.9,
    }
    return load_profile(root, "tiny").pretrain.model_copy(update=quick)


@dataclass
class Moments:
    """Copies of a checkpoint folder before and after each thing that changes it.

    A process that is killed leaves the disk as it is at that moment, and nothing else of it counts:
    so a copy is what the next process finds. Copies are named by when they were made.
    """

    folder: Path
    into: Path
    places: list[str] = field(default_factory=list)
    finished: dict[str, int] = field(default_factory=dict)
    step: int = 0
    whole: int = 0
    lock: Any = field(default_factory=threading.RLock)

    def keep(self, what: str) -> None:
        with self.lock:
            name = f"{len(self.places):03d} {what}, step {self.step}"
            self.places.append(name)
            self.finished[name] = self.whole
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copytree(self.folder, self.into / name)

    def around(self, what: str, plain: Callable[..., Any], at: Callable[..., Path]) -> Any:
        """`plain`, with a copy on both sides where it is about a file of the folder."""

        def call(*given: Any, **more: Any) -> Any:
            if not at(*given).is_relative_to(self.folder):
                return plain(*given, **more)
            with self.lock:
                self.keep(f"before {what}")
                done = plain(*given, **more)
                self.keep(f"after {what}")
            return done

        return call


@contextlib.contextmanager
def watched(moments: Moments) -> Iterator[None]:
    """Meanwhile all that changes the folder is seen."""
    with pytest.MonkeyPatch.context() as patch:

        def see(owner: Any, name: str, what: str, at: Callable[..., Path]) -> None:
            patch.setattr(owner, name, moments.around(what, getattr(owner, name), at))

        see(state, "save_file", "writing a checkpoint", lambda _, path: Path(path))
        see(Path, "replace", "renaming", lambda path, _: path)
        see(Path, "unlink", "removing", lambda path: path)
        see(sealed, "seal", "sealing", lambda path, *_: path)
        see(atomic, "sync_folder", "flushing", lambda path: path)
        yield


@cache
def _frozen() -> Backbone:
    """What no training changes, made once."""
    return toy_backbone()[0]


def trained(
    settings: TrainSettings,
    data: ShardSet,
    checkpoints: Path,
    parts: int,
    moments: Moments | None = None,
) -> Trainer:
    """A training that writes checkpoints in `parts` files, as so many processes would."""
    transformer, adapter = tiny.with_adapter()
    backbone = replace(_frozen(), transformer=transformer)
    trainer = Trainer(
        backbone,
        adapter,
        data,
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=checkpoints,
    )

    def save(step: int, saver: Any) -> None:
        for rank in range(parts):
            held = (trainer.parameters, trainer.optimizer, trainer.curve)
            averages = trainer._averages()
            saver.save(state.snapshot(step, *held, rank=rank, ranks=parts, averages=averages))
        if moments:
            saver.finish()
            moments.whole = step
            moments.keep("with a whole checkpoint")

    trainer._save = save  # type: ignore[method-assign]
    if moments:
        _tell(trainer, moments)
    trainer.said = []  # type: ignore[attr-defined]
    trainer.run(lambda m, s: None, lambda s: None, trainer.said.append)  # type: ignore[attr-defined]
    return trainer


def _tell(trainer: Trainer, moments: Moments) -> None:
    """Let the moments hear of each step, and cut it off in its middle too."""
    plain, backward = trainer.step, trainer.backward

    def step(number: int, batch: Any) -> Any:
        moments.step = number
        moments.keep("before a step")
        return plain(number, batch)

    def learned(batch: Any, number: int) -> Any:
        done = backward(batch, number)
        moments.keep("between gradient and update")
        return done

    trainer.step, trainer.backward = step, learned  # type: ignore[method-assign]


def content(folder: Path) -> frozenset[tuple[str, bytes]]:
    """What lies in a folder; of files beside their place the name says nothing."""
    return frozenset(
        ("aside" if path.name.startswith(".") else path.name, path.read_bytes())
        for path in folder.iterdir()
    )


@pytest.mark.parametrize(("parts", "steps"), [(1, 7), (2, 5)])
def test_wherever_a_training_is_cut_off_it_goes_on_bit_for_bit(
    settings: TrainSettings, tmp_path: Path, parts: int, steps: int
) -> None:
    settings = settings.model_copy(update={"steps": steps})
    moments = Moments(tmp_path / "straight", tmp_path / "cut")
    moments.into.mkdir()
    data = toy_data(tmp_path / "data")
    with watched(moments):
        straight = trained(settings, data, moments.folder, parts, moments)
    assert len(moments.places) >= LEAST, moments.places
    seen: dict[frozenset[tuple[str, bytes]], int] = {}
    for name in moments.places:
        held = content(moments.into / name)
        if held not in seen:
            resumed = trained(settings, data, moments.into / name, parts)
            _is_the_same(resumed, straight, name)
            (said,) = [s for s in resumed.said if s.startswith("resuming")] or ["after step 0 "]
            seen[held] = int(said.partition("after step ")[2].split()[0])
        assert seen[held] >= moments.finished[name], f"{name}: a finished step was lost"
    assert len(seen) >= LEAST, "as many different disks"
    assert set(seen.values()) == {0, *range(EVERY, steps, EVERY)}


def _is_the_same(resumed: Trainer, straight: Trainer, name: str) -> None:
    assert resumed.curve == straight.curve, name
    for key, value in straight.parameters.items():
        assert torch.equal(value, resumed.parameters[key]), (name, key)
        for field_name, kept in straight.optimizer.state[value].items():
            other = resumed.optimizer.state[resumed.parameters[key]][field_name]
            assert torch.equal(kept, other), (name, key, field_name)
    assert straight.average is not None and resumed.average is not None
    for key, value in straight.average.tensors.items():
        assert torch.equal(value, resumed.average.tensors[key]), (name, key)
