"""Each value of a training changes what it says it changes: told by the weights that come out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mm_model.settings import TrainSettings, load_profile
from mm_model.train.loop import Trainer
from tests.nn import tiny
from tests.train.test_loop import _step, toy_backbone, toy_data

BASE = {
    "steps": 4,
    "batch_size": 10,
    "learning_rate": 1e-3,
    "warmup_steps": 1,
    "final_lr_share": 0.1,
    "weight_decay": 1e-2,
    "betas": (0.9, 0.95),
    "gradient_clip": 0.005,
    "ema_decay": None,
    "noisy_share": 0.0,
    "face_loss_probability": 0.5,
    "drop_text": 0.2,
    "drop_face": 0.2,
    "drop_both": 0.2,
    "identity_loss_weight": 0.5,
    "identity_loss_from_step": 1,
    "identity_loss_samples": 2,
    "checkpoint_every": 100,
    "sample_every": 100,
    "log_every": 1,
}
LEARNED: dict[str, Any] = {
    "steps": 3,
    "batch_size": 4,
    "learning_rate": 2e-3,
    "warmup_steps": 3,
    "final_lr_share": 0.9,
    "weight_decay": 0.5,
    "betas": (0.5, 0.95),
    "gradient_clip": 5.0,
    "ema_decay": 0.9,
    "noisy_share": 1.0,
    "face_loss_probability": 1.0,
    "drop_text": 0.6,
    "drop_face": 0.6,
    "drop_both": 0.6,
    "identity_loss_weight": 0.0,
    "identity_loss_from_step": 3,
    "identity_loss_samples": 1,
    "streams": 5,
    "shuffle_shards": 2,
    "trained": "modulation",
}
"""Another value for each field that decides what is learned."""
WATCHED = {
    "log_every",
    "sample_every",
    "checkpoint_every",
    "milestones",
    "gradient_checkpointing",
    "loader_workers",
}
"""What decides when something is told, or what the work takes; asked for below and with loading."""
ELSEWHERE = {
    "optimizer",
    "sample_frames",
    "sample_steps",
    "sample_guidance",
    "sample_face_guidance",
    "row_floor",
}
"""Read by the watcher and by the audit; the optimiser's kinds: `tests/train/test_optimizer.py`."""


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    return load_profile(root, "tiny").pretrain.model_copy(update=BASE)


def trained(rules: TrainSettings, folder: Path) -> dict[str, torch.Tensor]:
    backbone, adapter = toy_backbone()
    trainer = Trainer(
        backbone,
        adapter,
        toy_data(folder / "precompute", half=True),
        rules,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )
    trainer.run(lambda metrics, step: None, lambda step: None, lambda text: None)
    with trainer.shown():
        return {name: value.detach().clone() for name, value in adapter.named_parameters()}


@pytest.fixture(scope="module")
def usual(settings: TrainSettings, tmp_path_factory: Any) -> dict[str, torch.Tensor]:
    return trained(settings, tmp_path_factory.mktemp("usual"))


def test_every_field_is_asked_for_somewhere() -> None:
    assert set(TrainSettings.model_fields) == set(LEARNED) | WATCHED | ELSEWHERE


@pytest.mark.parametrize("name", LEARNED)
def test_a_value_changes_what_is_learned(
    settings: TrainSettings, usual: dict, tmp_path: Path, name: str
) -> None:
    other = trained(settings.model_copy(update={name: LEARNED[name]}), tmp_path)
    assert any(not torch.equal(usual[key], other[key]) for key in usual)


def test_the_same_values_give_the_same_weights(
    settings: TrainSettings, usual: dict, tmp_path: Path
) -> None:
    same = settings.model_copy(update={"log_every": 2, "sample_every": 1, "checkpoint_every": 1})
    again = trained(same, tmp_path)
    assert all(torch.equal(usual[key], again[key]) for key in usual)


def test_what_is_told_is_told_when_asked_for(settings: TrainSettings, tmp_path: Path) -> None:
    rules = settings.model_copy(
        update={
            "log_every": 2,
            "sample_every": 3,
            "checkpoint_every": 3,
            "milestones": (0.25, 0.5),
            "gradient_checkpointing": True,
        }
    )
    backbone, adapter = toy_backbone()
    trainer = Trainer(
        backbone,
        adapter,
        toy_data(tmp_path / "precompute"),
        rules,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=tmp_path,
    )
    assert backbone.transformer.is_gradient_checkpointing
    told: dict[str, list[int]] = {"logged": [], "watched": [], "kept": []}
    trainer.run(
        lambda _, step: told["logged"].append(step),
        told["watched"].append,
        lambda text: None,
        told["kept"].append,
    )
    assert told == {"logged": [2, 4], "watched": [0, 3, 4], "kept": [1, 2]}
    assert [path.name for path in tmp_path.glob("step_*.safetensors")] == [
        "step_00000003.safetensors"
    ]


def test_the_optimiser_has_the_profile_s_values(settings: TrainSettings, tmp_path: Path) -> None:
    backbone, adapter = toy_backbone()
    trainer = Trainer(
        backbone,
        adapter,
        toy_data(tmp_path / "precompute"),
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=tmp_path,
    )
    matrices, vectors = trainer.optimizer.param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (settings.weight_decay, 0.0)
    assert all(p.ndim > 1 for p in matrices["params"])
    assert all(p.ndim <= 1 for p in vectors["params"])
    assert {tuple(group["betas"]) for group in (matrices, vectors)} == {settings.betas}


def test_a_gate_is_never_negative_after_a_step(settings: TrainSettings, tmp_path: Path) -> None:
    """Of gates that the gradient pushes below zero, the loop itself leaves none there."""
    rules = settings.model_copy(update={"learning_rate": 0.1, "weight_decay": 0.0})
    pushed = 0
    for seed in (5, 6, 7):
        backbone, _ = toy_backbone()
        transformer, adapter = tiny.with_adapter(attention_mode="gated_joint")
        with torch.no_grad():
            for layer in adapter.layers.values():
                layer.face_gate.fill_(1e-3)
        backbone = replace(backbone, transformer=transformer)
        trainer = Trainer(
            backbone,
            adapter,
            toy_data(tmp_path / "precompute"),
            rules,
            seed=seed,
            fingerprint="fingerprint",
            checkpoints=tmp_path,
        )
        for step in (1, 2, 3):
            _step(trainer, step)
            gates = torch.cat([layer.face_gate for layer in adapter.layers.values()])
            assert bool((gates >= 0).all())
            pushed += int((gates == 0).sum())
    assert pushed, "no gate was pushed below zero: the test shows nothing"


BUILDS: dict[str, Callable] = {
    "pipeline first": lambda p, t: (p(), t())[1],
    "trainer first": lambda p, t: (t(), p())[0],
}


@pytest.mark.parametrize("order", BUILDS)
def test_every_order_of_building_pipeline_and_trainer_trains_all_or_stops_at_once(
    settings: TrainSettings, tmp_path: Path, order: str
) -> None:
    """A pipeline beside a training shows the same adapter; what it freezes is never left out."""
    from mm_model.generation.clips import pipeline_of

    backbone, adapter = toy_backbone()
    before = {name: p.detach().clone() for name, p in adapter.named_parameters()}

    def trainer() -> Trainer:
        return Trainer(
            backbone,
            adapter,
            toy_data(tmp_path / "precompute"),
            settings,
            seed=5,
            fingerprint="fingerprint",
            checkpoints=tmp_path,
        )

    made = BUILDS[order](lambda: pipeline_of(backbone, adapter), trainer)
    try:
        made.run(lambda metrics, step: None, lambda step: None, lambda text: None)
    except ValueError as stopped:
        assert "frozen since the trainer was made" in str(stopped)
        assert all(torch.equal(p, before[name]) for name, p in adapter.named_parameters())
        return
    still = {name for name, p in adapter.named_parameters() if torch.equal(p, before[name])}
    assert still == adapter.unread
    assert not any(p.requires_grad for p in backbone.transformer.base_parameters())
