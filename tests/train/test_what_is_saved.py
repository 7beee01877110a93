"""What a training hands over: the averages where the profile asks for them, not the raw weights."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from mm_model.nn.injection.files import WEIGHTS_NAME, load_tensors
from mm_model.settings import load_profile
from mm_model.train import learn as learning
from mm_model.train.loop import Trainer
from mm_model.train.processes import Processes
from mm_model.train.report import report_of
from tests.train.test_loop import toy_backbone, toy_data

RULES = {
    "steps": 3,
    "batch_size": 2,
    "sample_every": 1,
    "milestones": (0.67,),  # after step 2
    "ema_decay": 0.9,
    "identity_loss_weight": 0.0,
}


def job_of(profile: Any, place: Path) -> Any:
    """What a stage hands a training."""
    return SimpleNamespace(
        profile=profile,
        stage=SimpleNamespace(name="pretrain"),
        fingerprint="fingerprint",
        work=place / "work",
        out=place / "out",
        model=lambda name: place,
        say=lambda text: None,
        tracker=SimpleNamespace(log=lambda metrics, step: None),
    )


@pytest.mark.capability("stage 1, on pictures", scale="T")
def test_the_averages_are_looked_at_and_handed_over(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, adapter = toy_backbone()
    made: list[Trainer] = []
    shown: list[dict[str, torch.Tensor]] = []
    kept: dict[int, dict[str, torch.Tensor]] = {}

    class Kept(Trainer):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            made.append(self)

    def now() -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in made[0].parameters.items()}

    outside = {
        "Trainer": Kept,
        "Watcher": lambda *_: lambda step: shown.append(now()),
        "load_backbone": lambda *_: backbone,
        "fresh_adapter": lambda *_: adapter,
        "settle": lambda _: None,
        "_tflop": lambda *_: 1.0,
        "pipeline_of": lambda *_: None,
    }
    for name, other in outside.items():
        monkeypatch.setattr(learning, name, other)
    monkeypatch.setattr(learning.milestones, "hand_over", lambda job: None)
    monkeypatch.setattr(
        learning.milestones, "keep", lambda job, adapter, state, step: kept.update({step: now()})
    )
    profile = load_profile(root, "tiny")
    rules = profile.pretrain.model_copy(update=RULES)
    job = job_of(profile, tmp_path)
    before = torch.get_num_threads()
    try:
        learning.learn(job, rules, toy_data(tmp_path / "data"), None, Processes(backbone.device))
    finally:
        torch.set_num_threads(before)
    (trainer,) = made
    averages = trainer.average.tensors  # type: ignore[union-attr]
    saved = load_tensors(tmp_path / "out" / "adapter" / WEIGHTS_NAME)
    differing = [name for name in averages if not torch.equal(averages[name], now()[name])]
    assert len(differing) > 10, "averages and raw weights are two things by now"
    for name, value in averages.items():
        assert torch.equal(saved[name], value), f"{name}: raw weights were handed over"
        assert torch.equal(shown[-1][name], value), f"{name}: raw weights were looked at"
    assert any(not torch.equal(kept[2][name], shown[-1][name]) for name in averages)
    assert all(torch.equal(kept[2][name], shown[2][name]) for name in averages)


@pytest.mark.capability("stage 1, on pictures", scale="T")
def test_the_report_says_how_the_velocity_s_loss_fell(root: Path, tmp_path: Path) -> None:
    """Of the first and the last tenth of the steps; the identity loss begins later."""
    profile, data = load_profile(root, "tiny"), toy_data(tmp_path / "data")
    steps = range(1, 21)
    curve = pd.DataFrame({"step": steps, "loss": 9.0, "loss_velocity": [1 / n for n in steps]})
    job = job_of(profile, tmp_path)
    said = report_of(job, profile.pretrain, data, curve=curve, unreached=["null_id"])
    assert said.metrics["loss_first"] == pytest.approx((1 + 1 / 2) / 2)
    assert said.metrics["loss_last"] == pytest.approx((1 / 19 + 1 / 20) / 2)
    assert "1 trained tensors never received a gradient" in said.notes[0]
