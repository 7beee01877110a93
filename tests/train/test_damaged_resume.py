"""What a resume reads: no damaged, foreign or unfinished file is ever used silently."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mm_model.store import sealed
from mm_model.train import milestones
from tests.store.damage import flipped, other_damage
from tests.train import kept

pytestmark = pytest.mark.capability("resume", scale="T")

FLIPS = 150


class Run:
    """A small training with checkpoints of the steps 2 and 4."""

    def __init__(self, folder: Path, fingerprint: str = "work") -> None:
        self.folder, self.said = folder, []
        g = torch.Generator().manual_seed(len(fingerprint))
        self.parameters = {
            "matrix": nn.Parameter(torch.randn(12, 12, generator=g)),
            "bias": nn.Parameter(torch.randn(12, generator=g)),
        }
        self.optimizer = torch.optim.AdamW(self.parameters.values())
        self.at: dict[int, dict[str, Tensor]] = {}
        for step in (2, 4):
            for parameter in self.parameters.values():
                parameter.grad = torch.randn(parameter.shape, generator=g)
            self.optimizer.step()
            curve = [{"step": step, "loss": 0.5 / step}]
            self.newest = kept.save(
                folder,
                step,
                fingerprint,
                parameters=self.parameters,
                optimizer=self.optimizer,
                curve=curve,
            )
            self.at[step] = self._all()

    def _all(self) -> dict[str, Tensor]:
        held = {name: value.detach().clone() for name, value in self.parameters.items()}
        for name, parameter in self.parameters.items():
            held |= {f"{name}/{k}": v.clone() for k, v in self.optimizer.state[parameter].items()}
        return held

    def restored(self) -> int:
        """The step a resume takes up; fails when what it gives is not that step's state."""
        self.said.clear()
        found = kept.restore(self.folder, "work", self.parameters, self.optimizer, self.said.append)
        if found is None:
            return 0
        assert found.curve == [{"step": found.step, "loss": 0.5 / found.step}]
        held = self._all()
        assert all(torch.equal(held[name], value) for name, value in self.at[found.step].items())
        return found.step


def test_no_flipped_bit_of_a_checkpoint_is_used_silently(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.restored() == 4
    content, seal = run.newest.read_bytes(), sealed.seal_of(run.newest).read_bytes()
    for damaged in flipped(content, FLIPS):
        run.newest.write_bytes(damaged)
        sealed.seal_of(run.newest).write_bytes(seal)
        assert run.restored() == 2
        assert len(run.said) == 1 and run.newest.name in run.said[0]


def test_other_damage_of_a_checkpoint_gives_the_one_before(tmp_path: Path) -> None:
    run = Run(tmp_path)
    content, seal = run.newest.read_bytes(), sealed.seal_of(run.newest).read_bytes()
    older = tmp_path / "step_00000002.safetensors"
    for name, do in other_damage(run.newest, older).items():
        run.newest.write_bytes(content)
        sealed.seal_of(run.newest).write_bytes(seal)
        do()
        assert run.restored() == 2, name
        assert len(run.said) == (name != "deleted"), name


def test_a_checkpoint_of_another_fingerprint_is_passed_over_and_said(tmp_path: Path) -> None:
    run, other = Run(tmp_path / "own"), Run(tmp_path / "other", "other work")
    for path in (other.newest, sealed.seal_of(other.newest)):
        (run.folder / path.name).write_bytes(path.read_bytes())
    assert run.restored() == 2
    assert "belongs to other work" in run.said[0]


def test_without_a_whole_checkpoint_training_begins_anew(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for path in tmp_path.glob("step_*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    assert run.restored() == 0
    assert len(run.said) == 2


def test_old_checkpoints_go_with_their_seals(tmp_path: Path) -> None:
    run = Run(tmp_path)
    kept.save(tmp_path, 6, "work", parameters=run.parameters, optimizer=run.optimizer, curve=[])
    steps = ("step_00000004.safetensors", "step_00000006.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {
        *steps,
        *(f"{name}{sealed.SUFFIX}" for name in steps),
    }


def test_only_whole_samples_of_a_run_that_was_cut_off_are_taken_up(tmp_path: Path) -> None:
    from mm_model.train.watch import Watcher

    said: list[str] = []
    watcher = Watcher.__new__(Watcher)
    watcher.job = SimpleNamespace(fingerprint="work", say=said.append)
    watcher.kept, watcher.folder = tmp_path / "kept", tmp_path / "samples"
    watcher.kept.mkdir()
    for name, origin in (("a.jpg", "work"), ("b.jpg", "work"), ("c.jpg", "other work")):
        (watcher.kept / name).write_bytes(name.encode() * 50)
        sealed.seal(watcher.kept / name, origin)
    (watcher.kept / "b.jpg").write_bytes(next(flipped(b"b.jpg" * 50, 1)))
    (watcher.kept / "d.jpg").write_bytes(b"not sealed yet")
    watcher._take_up()
    assert [path.name for path in watcher.folder.iterdir()] == ["a.jpg"]
    assert {path.name for path in watcher.kept.iterdir()} == {"a.jpg", "a.jpg" + sealed.SUFFIX}
    assert [line.split()[1] for line in said] == ["b.jpg", "c.jpg", "d.jpg"]


def test_only_whole_milestones_of_a_run_that_was_cut_off_are_handed_over(tmp_path: Path) -> None:
    said: list[str] = []
    job: Any = SimpleNamespace(
        fingerprint="work", say=said.append, work=tmp_path / "work", out=tmp_path / "out"
    )
    for step, origin in ((2, "work"), (4, "work"), (6, "other work")):
        kept_at = job.work / "checkpoints" / milestones.MILESTONES / f"step_{step:06d}" / "adapter"
        kept_at.mkdir(parents=True)
        (kept_at / "weights").write_bytes(b"weights" * 50)
        sealed.seal(kept_at, origin)
    damaged = kept_at.parents[1] / "step_000004" / "adapter" / "weights"
    damaged.write_bytes(next(flipped(b"weights" * 50, 1)))
    milestones.hand_over(job)
    assert list(milestones.milestone_folders(job.out)) == [2]
    assert [line.split()[1] for line in said] == ["step_000004", "step_000006"]
