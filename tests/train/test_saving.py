"""Checkpoints beside the training: as it was then, two on the disk at most, faults told."""

import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mm_model.settings.device import settle
from mm_model.train import state
from mm_model.train.average import MovingAverage
from mm_model.train.saving import Saver
from mm_model.train.state import Snapshot
from tests.train import kept

pytestmark = pytest.mark.capability("resume", scale="T")


def _made() -> tuple[dict[str, nn.Parameter], torch.optim.Optimizer]:
    g = torch.Generator().manual_seed(4)
    parameters = {"matrix": nn.Parameter(torch.randn(6, 4, generator=g))}
    return parameters, torch.optim.AdamW(parameters.values(), lr=0.1)


def _step(parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def _steps(folder: Path) -> set[str]:
    return {path.name[5:13].lstrip("0") for path in folder.glob("step_*.safetensors")}


def test_training_goes_on_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    plain = state.write

    def slow(folder: Path, fingerprint: str, taken: Snapshot) -> Path:
        begun.set()
        assert go.wait(30)
        return plain(folder, fingerprint, taken)

    monkeypatch.setattr(state, "write", slow)
    parameters, optimizer = _made()
    _step(parameters, optimizer)
    then = parameters["matrix"].detach().clone()
    with Saver(tmp_path, "work") as saver:
        saver.save(state.snapshot(1, parameters, optimizer, []))
        assert begun.wait(30)
        _step(parameters, optimizer)  # the disk is not done yet
        go.set()
    other, restored = _made()
    found = kept.restore(tmp_path, "work", other, restored)
    assert found is not None and found.step == 1
    assert torch.equal(other["matrix"], then) and not torch.equal(parameters["matrix"], then)


def test_two_checkpoints_lie_on_the_disk_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    plain = state.write

    def looking(folder: Path, fingerprint: str, taken: Snapshot) -> Path:
        seen.append(_steps(folder))
        return plain(folder, fingerprint, taken)

    monkeypatch.setattr(state, "write", looking)
    parameters, optimizer = _made()
    with Saver(tmp_path, "work") as saver:
        for step in (1, 2, 3, 4):
            saver.save(state.snapshot(step, parameters, optimizer, []))
    assert seen == [set(), {"1"}, {"2"}, {"3"}], "one beside the one that is written"
    assert _steps(tmp_path) == {"3", "4"}


def test_nothing_is_thrown_away_for_a_checkpoint_that_is_not_whole(tmp_path: Path) -> None:
    """The other process was killed before its part of step 4 was written."""
    parameters, optimizer = _made()
    for step in (2, 3):
        for rank in (0, 1):
            taken = state.snapshot(step, parameters, optimizer, [], rank=rank, ranks=2)
            state.write(tmp_path, "work", taken)
    state.write(tmp_path, "work", state.snapshot(4, parameters, optimizer, [], rank=0, ranks=2))
    said: list[str] = []
    found = kept.restore(tmp_path, "work", parameters, optimizer, said.append)
    assert found is not None and found.step == 3
    assert said == ["checkpoint of step 4 has 1 of its 2 files: passed over"]


def test_each_process_writes_about_half(tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(1)
    parameters = {f"p{i}": nn.Parameter(torch.randn(8, i + 1, generator=g)) for i in range(12)}
    optimizer = torch.optim.AdamW(parameters.values())
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    parts = [state.snapshot(1, parameters, optimizer, [], rank=r, ranks=2) for r in (0, 1)]
    first, second = (sum(t.nbytes for t in part.tensors.values()) for part in parts)
    assert abs(first - second) < 0.1 * (first + second)
    assert not parts[0].tensors.keys() & parts[1].tensors.keys()


def test_a_disk_that_is_full_ends_the_training_at_the_next_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "step_1")

    monkeypatch.setattr(state, "write", full)
    parameters, optimizer = _made()
    with pytest.raises(OSError, match="No space"), Saver(tmp_path, "work") as saver:
        saver.save(state.snapshot(1, parameters, optimizer, []))
        saver.save(state.snapshot(2, parameters, optimizer, []))


@pytest.mark.parametrize("broken", [False, True])
def test_the_last_checkpoint_that_failed_is_told_unless_something_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "step_1")

    monkeypatch.setattr(state, "write", full)
    parameters, optimizer = _made()
    with pytest.raises(ValueError if broken else OSError), Saver(tmp_path, "work") as saver:
        saver.save(state.snapshot(1, parameters, optimizer, []))
        if broken:
            raise ValueError("the step went wrong")


def test_averages_are_kept_shown_and_resumed(tmp_path: Path) -> None:
    parameters, optimizer = _made()
    average = MovingAverage(parameters, 0.5)
    expected: Tensor = parameters["matrix"].detach().clone()
    for step in range(1, 9):
        _step(parameters, optimizer)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * parameters["matrix"].detach()
    learned = parameters["matrix"].detach().clone()
    with average.shown():
        assert torch.allclose(parameters["matrix"], expected, atol=1e-6)
    assert torch.equal(parameters["matrix"], learned), "and training goes on with its own"
    taken = state.snapshot(8, parameters, optimizer, [], averages=average.tensors)
    state.write(tmp_path, "work", taken)
    other, again = _made()
    fresh = MovingAverage(other, 0.5)
    files = [tmp_path / name for name in state.newest(tmp_path, "work", print)]
    state.load(files, other, again, fresh.tensors)
    assert torch.equal(fresh.tensors["matrix"], average.tensors["matrix"])
    assert torch.equal(other["matrix"], learned)


@pytest.mark.parametrize(("device", "asked"), [("cpu", [True]), ("cuda", [])])
def test_deterministic_algorithms_are_asked_for_on_a_cpu_alone(
    monkeypatch: pytest.MonkeyPatch, device: str, asked: list[bool]
) -> None:
    found: list[bool] = []
    monkeypatch.setattr(
        torch, "use_deterministic_algorithms", lambda mode, warn_only: found.append(mode)
    )
    settle(torch.device(device))
    assert found == asked


def test_no_stage_asks_for_them_by_itself(root: Path) -> None:
    """Encoding, training and evaluation alike go by that one rule."""
    asking = [
        path.relative_to(root / "mm_model").as_posix()
        for path in sorted((root / "mm_model").rglob("*.py"))
        if "use_deterministic_algorithms(" in path.read_text()
    ]
    assert asking == ["settings/device.py"]
