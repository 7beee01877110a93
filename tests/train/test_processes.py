"""Two processes train as one would: the same batches and losses, whatever they keep in parts."""

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mm_model.errors import UserError
from mm_model.settings import load_profile
from mm_model.settings.sections import RunSettings
from mm_model.train import launch
from mm_model.train.processes import SHARDING
from tests.train.test_loop import toy_data
from tests.train.together import trained

pytestmark = pytest.mark.capability("several processes", scale="T")

RULES = {
    "steps": 6,
    "batch_size": 8,
    "streams": 4,
    "log_every": 1,
    "sample_every": 3,
    "checkpoint_every": 2,
    "identity_loss_from_step": 1,
    "identity_loss_samples": 2,
    "noisy_share": 0.0,
    "warmup_steps": 2,
    "drop_text": 0.6,
    "drop_both": 0.1,
    "ema_decay": 0.9,
}
"""Every second sample or more has no prompt, so that now and then a process has none at all."""
LOSS, WEIGHT = 1e-6, 3e-5
"""Largest differences seen to one process were 1.2e-7 and 8.5e-6: sums are taken in another order.
A rate of 2e-3 and six steps move a weight by up to 1e-2."""


@dataclass
class Shared:
    """What the trainings of one launch left, by name, and one process's on the same data."""

    place: Path
    one: Any

    def said(self, name: str) -> dict:
        return json.loads((self.place / f"{name}.json").read_text())

    def off(self, name: str) -> float:
        """How far the learned weights and their averages are from one process's, at most."""
        distances = []
        for kind, known in (("", self.one.parameters), ("-average", self.one.average.tensors)):
            found = load_file(self.place / f"{name}{kind}.safetensors")
            assert found.keys() == known.keys()
            distances += [float((found[key] - value).abs().max()) for key, value in known.items()]
        return max(distances)

    def kept(self, name: str) -> list[int]:
        """How many numbers of model and adapter each process held."""
        return [int((self.place / f"{name}.{rank}.kept").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def shared(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    place = tmp_path_factory.mktemp("together")
    rules = load_profile(root, "tiny").pretrain.model_copy(update=RULES).model_dump(mode="json")
    toy_data(place / "data")
    toy_data(place / "bad", infinite=(0, 1, 2, 3, 4))

    def job(name: str, sharding: str, at: str | None = None, **more: Any) -> dict:
        return {
            "data": str(place / "data"),
            "settings": rules,
            "sharding": sharding,
            "checkpoints": str(place / f"at-{at or name}"),
            "out": str(place / name),
            **more,
        }

    one = trained(job("one", "none"), None)
    trained(job("begun-alone", "none", stop=3), None)
    killed = job("killed", "none", at="kill", killed=1, killed_at=4)
    assert _launched(root, place, [killed]).returncode != 0
    jobs = [
        *(job(sharding, sharding) for sharding in SHARDING),
        job("again", "all", settings={**rules, "gradient_checkpointing": True}),
        job("parts", "none", together=1),
        job("parts-trained", "trained", together=1),
        job("stopped", "none", stop=3),
        job("none-to-all", "all", at="stopped"),
        job("halted", "none", at="halves", stop=3),
        job("resumed", "none", at="halves"),
        job("after-kill", "none", at="kill"),
        job("stopped-trained", "trained", stop=3),
        job("one-to-trained", "trained", at="begun-alone"),
        job("bad", "none", data=str(place / "bad")),
        job("sixteen", "all", dtype="bfloat16"),
    ]
    ran = _launched(root, place, jobs)
    assert ran.returncode == 0, ran.stderr[-4000:]
    trained(job("trained-to-one", "none", at="stopped-trained"), None)
    return Shared(place, one)


def _launched(root: Path, place: Path, jobs: list[dict]) -> "subprocess.CompletedProcess[str]":
    """Both processes take part in all `jobs`, one after the other."""
    file = place / "jobs.json"
    file.write_text(json.dumps(jobs))
    line = launch.command(2, file, "tests.train.together")
    return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHARDING, "again", "parts", "parts-trained"])
def test_two_processes_learn_what_one_does(shared: Shared, name: str) -> None:
    curve = shared.said(name)["curve"]
    assert [row["step"] for row in curve] == [row["step"] for row in shared.one.curve]
    assert any(row["loss_identity"] for row in curve), "the identity loss took part"
    for found, known in zip(curve, shared.one.curve, strict=True):
        for field in ("loss", "loss_velocity", "loss_identity", "gradient_norm"):
            assert found[field] == pytest.approx(known[field], abs=LOSS), (known["step"], field)
        assert (found["identity_cosine"] is None) == (known["identity_cosine"] is None)
    assert shared.off(name) < WEIGHT
    assert shared.said(name)["unreached"] == shared.one.unreached()


@pytest.mark.slow
def test_processes_never_share_a_sample_of_a_step(shared: Shared) -> None:
    first, second = (said["seen"] for said in shared.said("none")["ranks"])
    for one, other, both in zip(first, second, shared.one.seen, strict=True):
        assert len(one) == len(other) == RULES["batch_size"] / 2
        assert sorted(one + other) == sorted(both)
        assert [*one[:2], *other[:2], *one[2:], *other[2:]] == both, "by streams"


@pytest.mark.slow
def test_what_is_sharded_is_held_once(shared: Shared) -> None:
    everything, trained_numbers = shared.kept("none")[0], 0
    trained_numbers = sum(p.numel() for p in shared.one.parameters.values())
    assert shared.kept("none") == [everything] * 2
    apart = sum(shared.kept("trained"))
    assert apart == 2 * everything - trained_numbers
    assert sum(shared.kept("all")) == everything


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none-to-all", "one-to-trained"])
def test_a_run_goes_on_with_other_processes(shared: Shared, name: str) -> None:
    said = shared.said(name)
    assert said["ranks"][0]["said"][0] == "resuming after step 2 of 6"
    for found, known in zip(said["curve"], shared.one.curve, strict=True):
        assert found["loss"] == pytest.approx(known["loss"], abs=LOSS)
    assert shared.off(name) < WEIGHT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resumed", "after-kill"])
def test_as_many_processes_go_on_bit_for_bit(shared: Shared, name: str) -> None:
    """Also where SIGKILL ended one of them while its part of step 4 was being written."""
    straight, resumed = shared.said("none"), shared.said(name)
    assert "resuming after step 2 of 6" in resumed["ranks"][0]["said"]
    assert resumed["curve"] == straight["curve"]
    for kind in ("", "-average"):
        found, known = (load_file(shared.place / f"{n}{kind}.safetensors") for n in (name, "none"))
        assert all(torch.equal(found[key], value) for key, value in known.items())


@pytest.mark.slow
def test_one_process_goes_on_where_several_stopped(shared: Shared, root: Path) -> None:
    place = shared.place / "at-stopped-trained"
    names = sorted(path.name for path in place.glob("step_*.safetensors"))
    assert [name for name in names if "-of-2" in name], "two wrote a part each"
    assert names[-1] == "step_00000004.safetensors", "and then one alone"


@pytest.mark.slow
def test_a_loss_without_end_names_the_samples_of_all(shared: Shared) -> None:
    told = [said["said"][-1] for said in shared.said("bad")["ranks"]]
    assert told[0] == told[1]
    seen = [set(said["seen"][-1]) for said in shared.said("bad")["ranks"]]
    named = set(told[0].partition("whose samples are ")[2].partition(";")[0].split(", "))
    assert named == seen[0] | seen[1]


@pytest.mark.slow
def test_a_base_of_sixteen_bits_is_sharded_beside_its_masters(shared: Shared) -> None:
    assert all(math.isfinite(row["loss"]) for row in shared.said("sixteen")["curve"])
    learned = load_file(shared.place / "sixteen.safetensors")
    assert {value.dtype for value in learned.values()} == {torch.float32}
    assert sum(shared.kept("sixteen")) == shared.kept("none")[0]


def test_the_number_of_processes_is_told(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    run: RunSettings = load_profile(root, "tiny").run
    assert launch.wanted(run, 8) == 1
    monkeypatch.setenv("MM_PROCESSES", "4")
    assert launch.wanted(run, 8) == 4
    for said, told in (
        ("3", "are 8: give 1 or 2 or 4 or 8, or set streams to a multiple of 3"),
        ("two", "'two'"),
        ("0", "'0'"),
    ):
        monkeypatch.setenv("MM_PROCESSES", said)
        with pytest.raises(UserError, match=told):
            launch.wanted(run, 8)
    assert launch.sharding() == "none"
    monkeypatch.setenv("MM_SHARDING", "some")
    with pytest.raises(UserError, match="none, trained, all"):
        launch.sharding()


def test_one_line_starts_them_by_accelerate(tmp_path: Path) -> None:
    line = launch.command(8, tmp_path / "launch.json")
    assert line[:4] == [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    assert " ".join(line[-3:]) == f"--module mm_model.train {tmp_path / 'launch.json'}"


def test_a_stage_says_what_the_first_of_its_processes_said(tmp_path: Path) -> None:
    """The others end because that one did, with words of a lost connection."""
    at = launch.Launch(
        root=tmp_path,
        stage="pretrain",
        fingerprint="work",
        profile="tiny",
        inputs={},
        work=tmp_path,
        samples="pictures",
        start=None,
        sharding="none",
        spool=None,
        starter=(1, 0.0),
    )
    at.folder.mkdir()
    assert "ended without a word" in launch._why(at, 2) and str(at.log) in launch._why(at, 2)
    for rank, moment, sentence in ((0, 9, "The connection is lost."), (1, 5, "The disk is full.")):
        path = at.folder / f"{launch.FAILURE}.{rank:04d}.json"
        path.write_text(json.dumps({"sentence": sentence}))
        os.utime(path, (moment, moment))
    assert launch._why(at, 2) == "The disk is full."
