"""Training: repeatable batches, bit-for-bit resume, frozen backbone, no step into the void."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.settings import TrainSettings, load_profile
from mm_model.train import state
from mm_model.train.batches import BatchMaker
from mm_model.train.dataset import Target, TrainingSet
from mm_model.train.loop import Trainer, learning_rate
from tests.nn import tiny

TARGETS, REFERENCES = 10, 6
UNREACHED = {"layers.2.face_norm2.weight", "layers.2.face_norm2.bias"}
"""The face stream ends in the last adapted layer: nothing reads what its feed-forward makes."""


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    quick = {
        "steps": 6,
        "batch_size": 3,
        "log_every": 1,
        "sample_every": 3,
        "checkpoint_every": 2,
        "identity_loss_from_step": 2,
        "warmup_steps": 2,
    }
    return load_profile(root, "tiny").pretrain.model_copy(update=quick)


def _backbone() -> tuple[Backbone, object]:
    from mm_model.diffusion.schedule import build_scheduler

    transformer, adapter = tiny.with_adapter()
    vae, text = tiny.vae().requires_grad_(False), tiny.text_encoder().requires_grad_(False)
    parts = {
        "tokenizer": tiny.tokenizer(),
        "text_encoder": text,
        "vae": vae,
        "transformer": transformer,
        "scheduler": build_scheduler(),
        "identity_encoder": tiny.identity_encoder(),
    }
    device = torch.device("cpu")
    return Backbone(Path("tiny"), **parts, device=device, dtype=torch.float32), adapter


def _data(frames: int = 1) -> TrainingSet:
    g = torch.Generator().manual_seed(3)
    latent_frames = (frames - 1) // 4 + 1
    targets = tuple(
        Target(
            sample_id=f"t{i}",
            identity=f"id-{i % 4}",
            split="train",
            media="image",
            caption="a man walks in the park",
            references=(i % REFERENCES, (i + 1) % REFERENCES),
        )
        for i in range(TARGETS)
    )
    marks = torch.tensor([[24.0, 26], [40, 26], [32, 36], [26, 44], [38, 44]])
    tensors = {
        "latents": torch.randn(TARGETS, latent_frames, 8, 8, 8, generator=g),
        "masks": torch.ones(TARGETS, latent_frames, 8, 8),
        "landmarks": marks.expand(TARGETS, 5, 2).clone(),
        "boxes": torch.tensor([16.0, 16, 48, 52]).expand(TARGETS, 4).clone(),
        "x_id": torch.randn(REFERENCES, 2, 32, generator=g),
        "clip_tokens": torch.randn(REFERENCES, 5, 24, generator=g),
        "reference_embeddings": torch.randn(REFERENCES, 16, generator=g),
    }
    return TrainingSet(targets, tensors)


def _trainer(settings: TrainSettings, folder: Path, frames: int = 1) -> Trainer:
    backbone, adapter = _backbone()
    return Trainer(
        backbone,
        adapter,
        _data(frames),
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )


def _run(trainer: Trainer) -> list[dict]:
    return trainer.run(lambda metrics, step: None, lambda step: None, lambda text: None)


class _Killed(Exception):
    pass


@pytest.mark.capability("resume", scale="T")
def test_a_resumed_run_equals_the_straight_run_bit_for_bit(
    settings: TrainSettings, tmp_path: Path
) -> None:
    straight = _trainer(settings, tmp_path / "straight")
    curve = _run(straight)

    def die(step: int) -> None:
        if step == 3:
            raise _Killed

    with pytest.raises(_Killed):
        _trainer(settings, tmp_path / "cut").run(lambda m, s: None, die, lambda t: None)
    resumed = _trainer(settings, tmp_path / "cut")
    said: list[str] = []
    again = resumed.run(lambda m, s: None, lambda step: None, said.append)
    assert said[0].startswith("resuming after step 2 ")
    assert again == curve
    for name, value in straight.parameters.items():
        assert torch.equal(value, resumed.parameters[name]), name


def test_training_moves_the_adapter_and_nothing_else(
    settings: TrainSettings, tmp_path: Path
) -> None:
    trainer = _trainer(settings, tmp_path, frames=9)
    parts = trainer.backbone
    frozen = {
        name: value.clone()
        for part in (parts.vae, parts.text_encoder, parts.identity_encoder)
        for name, value in part.state_dict().items()
    }
    base = [p.clone() for p in parts.transformer.base_parameters()]
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    _run(trainer)
    for part in (parts.vae, parts.text_encoder, parts.identity_encoder):
        for name, value in part.state_dict().items():
            assert torch.equal(value, frozen[name]), name
    assert all(
        torch.equal(a, b) for a, b in zip(parts.transformer.base_parameters(), base, strict=True)
    )
    moved = [name for name, p in trainer.parameters.items() if not torch.equal(p, before[name])]
    assert set(before) - set(moved) == UNREACHED


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    settings: TrainSettings, tmp_path: Path
) -> None:
    _run(_trainer(settings, tmp_path))
    newest = sorted(tmp_path.glob("step_*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    trainer = _trainer(settings, tmp_path)
    found = state.restore(tmp_path, "fingerprint", trainer.parameters, trainer.optimizer)
    assert found is not None and found.step == 2
    assert list(tmp_path.glob("*.damaged"))


def test_a_checkpoint_of_other_work_is_never_read(settings: TrainSettings, tmp_path: Path) -> None:
    _run(_trainer(settings, tmp_path))
    trainer = _trainer(settings, tmp_path)
    assert state.restore(tmp_path, "other", trainer.parameters, trainer.optimizer) is None


def test_a_loss_that_is_not_finite_stops_before_the_update(
    settings: TrainSettings, tmp_path: Path
) -> None:
    trainer = _trainer(settings, tmp_path)
    trainer.step(1)
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    trainer.data.tensors["latents"].fill_(math.inf)
    with pytest.raises(UserError, match="not finite at step 2"):
        trainer.step(2)
    assert all(torch.equal(p, before[name]) for name, p in trainer.parameters.items())


def test_every_target_comes_once_an_epoch(settings: TrainSettings) -> None:
    backbone, _ = _backbone()
    maker = BatchMaker(_data(), backbone, settings, 5, backbone.schedule)
    rows = torch.cat([maker.rows(step) for step in range(1, 11)]).tolist()
    for epoch in range(3):
        assert sorted(rows[epoch * TARGETS : (epoch + 1) * TARGETS]) == list(range(TARGETS))


def test_a_batch_is_a_function_of_seed_and_step(settings: TrainSettings) -> None:
    backbone, _ = _backbone()
    first = BatchMaker(_data(), backbone, settings, 5, backbone.schedule).batch(4)
    again = BatchMaker(_data(), backbone, settings, 5, backbone.schedule).batch(4)
    other = BatchMaker(_data(), backbone, settings, 6, backbone.schedule).batch(4)
    assert torch.equal(first.noise, again.noise) and torch.equal(first.rows, again.rows)
    assert not torch.equal(first.noise, other.noise)


def test_the_noisy_share_reaches_the_batch(settings: TrainSettings) -> None:
    backbone, _ = _backbone()
    for share, least in ((1.0, 500), (0.0, 0)):
        rules = settings.model_copy(update={"noisy_share": share, "batch_size": 64})
        steps = BatchMaker(_data(), backbone, rules, 5, backbone.schedule).batch(1).timestep
        assert least <= steps.min() < least + 100


def test_identity_positions_match_the_references_of_each_row(settings: TrainSettings) -> None:
    backbone, _ = _backbone()
    kept = settings.model_copy(update={"drop_text": 0.0, "drop_both": 0.0})
    batch = BatchMaker(_data(), backbone, kept, 5, backbone.schedule).batch(1)
    assert torch.equal(batch.text_mask.sum(dim=1), 2 * batch.features.mask.sum(dim=1))


def test_the_learning_rate_warms_up_and_decays(settings: TrainSettings) -> None:
    rates = [learning_rate(step, settings) for step in range(1, settings.steps + 1)]
    peak = settings.learning_rate
    assert rates[0] == peak / 2 and rates[1] == peak
    assert rates[-1] == pytest.approx(peak * settings.final_lr_share)
    assert all(a > b for a, b in itertools.pairwise(rates[1:]))


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_batch_taken_in_parts_gives_the_whole_batch_s_gradient(
    settings: TrainSettings, tmp_path: Path, together: int, samples: int
) -> None:
    rules = settings.model_copy(update={"batch_size": 5, "identity_loss_samples": samples})
    whole, parts = _trainer(rules, tmp_path, frames=9), _trainer(rules, tmp_path, frames=9)
    assert whole._together >= 5
    parts._together = together
    seen = 0
    for step in (1, 4, 5, 6):  # the identity loss is on from step 3 on
        for trainer in (whole, parts):
            trainer.optimizer.zero_grad(set_to_none=True)
        batch = whole.batches.batch(step)
        expected, found = (t.backward(batch, step) for t in (whole, parts))
        known = slice(0, 3 if expected[3] is None else 4)
        assert found[known] == pytest.approx(expected[known], rel=1e-4)
        assert (found[3] is None) == (expected[3] is None)
        seen += expected[3] is not None
        for name, parameter in whole.parameters.items():
            other = parts.parameters[name].grad
            if parameter.grad is not None:
                assert torch.allclose(parameter.grad, other, rtol=1e-3, atol=1e-6), (step, name)
    assert seen


def test_one_clip_of_the_paper_s_size_at_a_time(root: Path, tmp_path: Path) -> None:
    rules = load_profile(root, "paper")
    backbone, adapter = _backbone()
    for frames, together in ((1, 23), (49, 1)):
        latents = torch.zeros(1, (frames - 1) // 4 + 1, 8, 480 // 8, 720 // 8)
        data = TrainingSet((), {"latents": latents})
        made = Trainer(
            backbone,
            adapter,
            data,
            rules.finetune,
            seed=5,
            fingerprint="fingerprint",
            checkpoints=tmp_path,
        )
        assert made._together == together
