"""Training: repeatable batches, bit-for-bit resume, frozen backbone, no step into the void."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.precompute.sample import TrainingSample
from mm_model.settings import TrainSettings, load_profile
from mm_model.train.batches import Batch
from mm_model.train.feed import Feed
from mm_model.train.loop import Trainer, learning_rate
from mm_model.train.shards import ShardSet
from tests.nn import tiny
from tests.precomputed import Made, read, written
from tests.train import kept

TARGETS, REFERENCES = 10, 6
CAPTION = "a man walks in the park"
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


def toy_backbone() -> tuple[Backbone, object]:
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


def toy_data(
    folder: Path,
    frames: int = 1,
    infinite: tuple[int, ...] = (),
    width: int = 16,
    half: bool = False,
) -> ShardSet:
    """Ten targets, a shard each. Those at the places `infinite` have latents without end; `width`
    is that of the embeddings; `half` masks only a part of the picture.
    """
    g = torch.Generator().manual_seed(3)
    latent_frames = (frames - 1) // 4 + 1
    backbone, _ = toy_backbone()
    x_id = torch.randn(REFERENCES, 2, 32, generator=g)
    clip_tokens = torch.randn(REFERENCES, 5, 24, generator=g)
    embeddings = torch.randn(REFERENCES, width, generator=g)
    text, text_mask, empty = _texts(backbone)
    mask = torch.ones(latent_frames, 8, 8, dtype=torch.bool)
    if half:
        mask[..., 4:] = False
    made = []
    for i in range(TARGETS):
        known = [i % REFERENCES, (i + 1) % REFERENCES]
        mean = torch.randn(latent_frames, 8, 8, 8, generator=g)
        sample = TrainingSample(
            mean=mean.fill_(math.inf) if i in infinite else mean,
            logvar=torch.full_like(mean, -8.0),
            mask=mask,
            landmarks=torch.tensor([[24.0, 26], [40, 26], [32, 36], [26, 44], [38, 44]]),
            box=torch.tensor([16.0, 16, 48, 52]),
            text=text,
            text_mask=text_mask,
            x_id=x_id[known],
            clip_tokens=clip_tokens[known],
            embeddings=embeddings[known],
        )
        made.append(Made(f"t{i}", sample, identity=f"id-{i % 4}", caption=CAPTION))
    return written(folder, made, empty, per_shard=1)


def _texts(backbone: Backbone) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs and masks of the caption for one and for two references, and the empty prompt's."""
    captions, length = [CAPTION, CAPTION, ""], backbone.text_length
    ids, masks = encode_prompts(backbone.tokenizer, captions, [1, 2, 0], length)
    said = encode_text(backbone.text_encoder, ids).float()
    return said[:2], masks[:2], said[2]


def _trainer(
    settings: TrainSettings, folder: Path, frames: int = 1, infinite: tuple[int, ...] = ()
) -> Trainer:
    backbone, adapter = toy_backbone()
    return Trainer(
        backbone,
        adapter,
        toy_data(folder / "precompute", frames, infinite),
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )


def _batch(settings: TrainSettings, folder: Path, step: int, seed: int = 5) -> Batch:
    backbone, _ = toy_backbone()
    return next(Feed(toy_data(folder), backbone, settings, seed).from_step(step))


def _step(trainer: Trainer, step: int) -> dict:
    """One step alone, on the batch that belongs to it."""
    return trainer.step(step, next(trainer.feed.from_step(step)))


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


@pytest.mark.capability("resume", scale="T")
def test_a_shard_that_cannot_be_read_costs_no_finished_step(
    settings: TrainSettings, tmp_path: Path
) -> None:
    rules = settings.model_copy(update={"streams": 1, "shuffle_shards": 1})
    straight = _trainer(rules, tmp_path / "straight")
    curve = _run(straight)
    cut = _trainer(rules, tmp_path / "cut")
    (stream,) = cut.data.streams(1, 1, 5)
    *_, last = stream.windows(0)  # its sample is the first of step 4; step 2 has a checkpoint
    shard = cut.data.files[last.shards[0]]
    shard.rename(aside := shard.with_suffix(".aside"))
    with pytest.raises(UserError, match=shard.name):
        _run(cut)
    aside.rename(shard)
    resumed = _trainer(rules, tmp_path / "cut")
    said: list[str] = []
    assert resumed.run(lambda m, s: None, lambda step: None, said.append) == curve
    assert said[0].startswith("resuming after step 3 ")
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
    found = kept.restore(tmp_path, "fingerprint", trainer.parameters, trainer.optimizer)
    assert found is not None and found.step == 2
    assert list(tmp_path.glob("*.damaged"))


def test_a_checkpoint_of_other_work_is_never_read(settings: TrainSettings, tmp_path: Path) -> None:
    _run(_trainer(settings, tmp_path))
    trainer = _trainer(settings, tmp_path)
    assert kept.restore(tmp_path, "other", trainer.parameters, trainer.optimizer) is None


def test_a_loss_that_is_not_finite_stops_before_the_update(
    settings: TrainSettings, tmp_path: Path
) -> None:
    rules = settings.model_copy(update={"batch_size": TARGETS})
    trainer = _trainer(rules, tmp_path / "sound")
    _step(trainer, 1)
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    bad = _trainer(rules, tmp_path / "bad", infinite=(4,)).feed.from_step(2)
    with pytest.raises(UserError, match="not finite at step 2"):
        trainer.step(2, next(bad))
    assert all(torch.equal(p, before[name]) for name, p in trainer.parameters.items())


def test_every_target_comes_once_an_epoch(settings: TrainSettings, tmp_path: Path) -> None:
    backbone, _ = toy_backbone()
    batches = Feed(toy_data(tmp_path), backbone, settings, 5).from_step(1)
    seen = [name for _ in range(10) for name in next(batches).sample_ids]
    epochs = [seen[epoch * TARGETS : (epoch + 1) * TARGETS] for epoch in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == [f"t{i}" for i in range(TARGETS)]
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_is_a_function_of_seed_and_step(settings: TrainSettings, tmp_path: Path) -> None:
    backbone, _ = toy_backbone()
    straight = Feed(toy_data(tmp_path), backbone, settings, 5).from_step(1)
    first = [next(straight) for _ in range(4)][-1]
    again, other = (_batch(settings, tmp_path, 4, seed) for seed in (5, 6))
    assert torch.equal(first.noise, again.noise) and torch.equal(first.clean, again.clean)
    assert first.sample_ids == again.sample_ids
    assert not torch.equal(first.noise, other.noise)


def test_latents_are_drawn_from_the_posterior_anew_each_time(
    settings: TrainSettings, tmp_path: Path
) -> None:
    """CogVideoX is trained on samples, not on the mode."""
    backbone, _ = toy_backbone()
    rules = settings.model_copy(update={"batch_size": TARGETS})
    data = toy_data(tmp_path)
    batches = Feed(data, backbone, rules, 5).from_step(1)
    known = read(data, scaling := backbone.vae.config.scaling_factor)
    drawn = []
    for _ in range(2):
        batch = next(batches)
        places = [known.rows[name] for name in batch.sample_ids]
        off = (batch.clean - known.tensors["latents"][places]) / scaling
        drawn.append(off[torch.argsort(torch.tensor(places))])
    assert torch.cat(drawn).std() == pytest.approx(math.exp(-4), rel=0.05)
    assert (drawn[0] - drawn[1]).std() > 0.5 * math.exp(-4)


def test_the_noisy_share_reaches_the_batch(settings: TrainSettings, tmp_path: Path) -> None:
    for share, least in ((1.0, 500), (0.0, 0)):
        rules = settings.model_copy(update={"noisy_share": share, "batch_size": 64})
        steps = _batch(rules, tmp_path, 1).timestep
        assert least <= steps.min() < least + 100


def test_identity_positions_match_the_references_of_each_row(
    settings: TrainSettings, tmp_path: Path
) -> None:
    kept = settings.model_copy(update={"drop_text": 0.0, "drop_both": 0.0, "batch_size": 9})
    batch = _batch(kept, tmp_path, 1)
    shown = batch.features.mask.sum(dim=1)
    assert torch.equal(batch.text_mask.sum(dim=1), 2 * shown) and len(set(shown.tolist())) == 2


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
        batch = next(whole.feed.from_step(step))
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
    backbone, adapter = toy_backbone()
    for frames, together in ((1, 23), (49, 1)):
        shape = ((frames - 1) // 4 + 1, 8, 480 // 8, 720 // 8)
        data = toy_data(tmp_path / str(frames), frames)
        data.__dict__["latent_shape"] = shape
        made = Trainer(
            backbone,
            adapter,
            data,
            rules.finetune.model_copy(update={"loader_workers": 0}),
            seed=5,
            fingerprint="fingerprint",
            checkpoints=tmp_path,
        )
        assert made._together == together
