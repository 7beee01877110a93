"""The paper's setting on small random weights laid out like the real ones: it does train."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors import safe_open

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone, given_adapter, load_backbone
from mm_model.nn.injection.files import CONFIG_NAME, WEIGHTS_NAME, load_json
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.settings import Profile, load_profile
from mm_model.train import learn as learning
from mm_model.train.gradients import require_masters
from mm_model.train.loop import Trainer
from mm_model.train.optimizer import optimizer_of
from mm_model.train.start import fresh_adapter
from tests.nn import layout, tiny
from tests.profiles import whole
from tests.train.test_loop import UNREACHED, _Killed, _run, _step, toy_data

pytestmark = pytest.mark.capability("bfloat16 with float32 masters", scale="L")

CLOSE = 0.005
"""How far apart the shares of moved weights may lie: a few values round differently."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = layout.write(tmp_path_factory.mktemp("backbone"))
    tiny.identity_encoder().save_pretrained(root / "identity_encoder")
    return root


@pytest.fixture(scope="module")
def paper(root: Path) -> Profile:
    """The paper's profile at the size of the small backbone, warmed up at once."""
    profile = load_profile(root, "paper")
    few = {"steps": 5, "warmup_steps": 1, "identity_loss_from_step": 2, "checkpoint_every": 2}
    few["loader_workers"] = 0
    assert profile.run.dtype == "bfloat16" and profile.pretrain.learning_rate == 1e-5
    return profile.model_copy(
        update={
            "run": profile.run.model_copy(update={"device": "cpu", "threads": 1}),
            "model": profile.model.model_copy(update={"preset": "tiny"}),
            "pretrain": profile.pretrain.model_copy(update=few),
            "finetune": profile.finetune.model_copy(update=few),
        }
    )


def _opened(folder: Path, paper: Profile, dtype: str) -> Backbone:
    return load_backbone(folder, paper.run.model_copy(update={"dtype": dtype}))


def _fresh(paper: Profile, backbone: Backbone, **model: str) -> MagicMirrorAdapter:
    changed = paper.model_copy(update={"model": paper.model.model_copy(update=model)})
    return fresh_adapter(SimpleNamespace(profile=changed), backbone)


def _trainer(paper: Profile, backbone: Backbone, folder: Path, frames: int = 9) -> Trainer:
    rules = paper.pretrain if frames == 1 else paper.finetune
    adapter = _fresh(paper, backbone)
    return Trainer(
        backbone,
        adapter,
        toy_data(folder / "precompute", frames),
        rules,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )


def _moved(trainer: Trainer) -> float:
    """Share of the weights that were not zero and have another value after the run."""
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    _run(trainer)
    changed = [(p != before[name])[before[name] != 0] for name, p in trainer.parameters.items()]
    return float(torch.cat(changed).float().mean())


@pytest.mark.capability("stage 1, on pictures", scale="L")
@pytest.mark.capability("stage 2, on clips", scale="L")
@pytest.mark.parametrize("frames", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_as_many_weights_move_in_bfloat16_as_in_float32(
    paper: Profile, folder: Path, tmp_path: Path, frames: int
) -> None:
    shares = {}
    for dtype in ("float32", "bfloat16"):
        trainer = _trainer(paper, _opened(folder, paper, dtype), tmp_path / dtype, frames)
        shares[dtype] = _moved(trainer)
        losses = [row["loss"] for row in trainer.curve]
        assert losses and all(0 < loss < 10 for loss in losses)
    assert shares["float32"] > 0.98
    assert abs(shares["float32"] - shares["bfloat16"]) < CLOSE


def test_only_the_frozen_base_is_in_bfloat16(paper: Profile, folder: Path, tmp_path: Path) -> None:
    trainer = _trainer(paper, _opened(folder, paper, "bfloat16"), tmp_path)
    _step(trainer, 1)
    base = trainer.backbone.transformer.base_parameters()
    assert {p.dtype for p in base} == {torch.bfloat16}
    assert {p.dtype for p in trainer.parameters.values()} == {torch.float32}
    gradients = [p.grad for p in trainer.parameters.values() if p.grad is not None]
    assert {g.dtype for g in gradients} == {torch.float32}
    state = [v for s in trainer.optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    assert {v.dtype for v in state} == {torch.float32}
    trainer.backward(next(trainer.feed.from_step(2)), 2)
    gradients = [p.grad for p in trainer.parameters.values() if p.grad is not None]
    assert any(not torch.equal(g, g.bfloat16().float()) for g in gradients), (
        "the sum is not rounded"
    )


@pytest.mark.capability("resume", scale="L")
@pytest.mark.capability("stage 2, on clips", scale="L")
def test_masters_survive_checkpoint_resume_export_and_the_next_stage(
    paper: Profile, folder: Path, tmp_path: Path
) -> None:
    straight = _trainer(paper, _opened(folder, paper, "bfloat16"), tmp_path / "straight")
    curve = _run(straight)

    def die(step: int) -> None:
        if step == 4:
            raise _Killed

    cut = _trainer(paper, _opened(folder, paper, "bfloat16"), tmp_path / "cut")
    cut.settings = cut.settings.model_copy(update={"sample_every": 4})
    with pytest.raises(_Killed):
        cut.run(lambda m, s: None, die, lambda t: None)
    resumed = _trainer(paper, _opened(folder, paper, "bfloat16"), tmp_path / "cut")
    assert _run(resumed) == curve
    for name, value in straight.parameters.items():
        assert torch.equal(value, resumed.parameters[name]), name
    straight.adapter.save_pretrained(tmp_path / "adapter", stage="pretrain", step=8)
    with safe_open(tmp_path / "adapter" / WEIGHTS_NAME, framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float32}  # noqa: SIM118
    assert load_json(tmp_path / "adapter" / CONFIG_NAME)["weights_dtype"] == "float32"
    backbone = _opened(folder, paper, "bfloat16")
    following = given_adapter(tmp_path, backbone, torch.float32)
    for name, value in following.named_parameters():
        assert torch.equal(value, straight.parameters[name]), name
    assert given_adapter(tmp_path, backbone).dtype == torch.bfloat16  # as it will be served


def test_a_stage_that_continues_an_adapter_asks_for_masters(
    paper: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def given(folder: Path, backbone: object, dtype: torch.dtype | None = None) -> None:
        asked.append((folder, dtype))
        raise _Killed

    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *_, **__: None)
    backbone = SimpleNamespace(device=torch.device("cpu"))
    monkeypatch.setattr(learning, "load_backbone", lambda *_: backbone)
    monkeypatch.setattr(learning, "given_adapter", given)
    job = SimpleNamespace(profile=paper, model=lambda name: tmp_path)
    with pytest.raises(_Killed):
        learning.learn(job, paper.finetune, None, tmp_path / "pretrain", SimpleNamespace(count=1))
    assert asked == [(tmp_path / "pretrain", torch.float32)]


@pytest.mark.parametrize("attention", ["joint", "gated_joint", "asymmetric"])
def test_training_computes_what_the_exported_adapter_will(
    paper: Profile, folder: Path, tmp_path: Path, attention: str
) -> None:
    backbone = _opened(folder, paper, "bfloat16")
    adapter = _fresh(paper, backbone, attention=attention)
    tiny.shake(adapter, scale=0.05)
    adapter.save_pretrained(tmp_path)
    batch = _inputs()
    with torch.no_grad():
        ours = MagicMirrorModel(backbone.transformer, adapter)(**batch)
        assert ours.dtype == torch.bfloat16
        assert {p.dtype for p in adapter.parameters()} == {torch.float32}
        digest = backbone.identity_encoder.recognizer_sha256
        served = MagicMirrorAdapter.from_pretrained(tmp_path, backbone.transformer, digest)
        assert {p.dtype for p in served.parameters()} == {torch.bfloat16}
        condition = served.drop(served.encode_identity(batch["features"]), batch["drop_identity"])
        text = served.fuse_text(batch["text_embeds"], batch["text_mask"], condition)
        inputs = tiny.inputs()
        theirs = backbone.transformer(
            batch["noisy"],
            text,
            batch["timestep"],
            return_dict=False,
            image_rotary_emb=inputs["image_rotary_emb"],
            **condition.transformer_inputs(),
        )[0]
    assert torch.equal(ours, theirs)


def _inputs() -> dict:
    inputs, mask = tiny.inputs(), torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[0, 1:5] = True
    return {
        "noisy": inputs["hidden_states"].bfloat16(),
        "timestep": inputs["timestep"],
        "text_embeds": inputs["encoder_hidden_states"].bfloat16(),
        "text_mask": mask,
        "features": tiny.features().to("cpu", torch.bfloat16),
        "drop_identity": torch.tensor([False, True]),
    }


def test_sampling_beside_training_is_the_served_adapter_s(
    paper: Profile, folder: Path, tmp_path: Path
) -> None:
    from mm_model.generation.clips import pipeline_of

    backbone = _opened(folder, paper, "bfloat16")
    adapter = _fresh(paper, backbone)
    tiny.shake(adapter, scale=0.05)
    adapter.save_pretrained(tmp_path)
    digest = backbone.identity_encoder.recognizer_sha256
    clips = []
    for made in (adapter, None):
        if made is None:
            made = MagicMirrorAdapter.from_pretrained(tmp_path, backbone.transformer, digest)
        pipe = pipeline_of(backbone, made)
        identity = made.encode_identity(tiny.features(1).to("cpu", torch.bfloat16))
        clips.append(
            pipe(
                "a man img walks",
                identity=identity,
                num_frames=9,
                num_inference_steps=2,
                generator=torch.Generator().manual_seed(1),
                output_type="latent",
            ).frames
        )
    assert clips[0].dtype == torch.bfloat16
    assert torch.equal(*clips)


def test_a_weight_of_another_dtype_is_never_trained(paper: Profile, folder: Path) -> None:
    backbone = _opened(folder, paper, "bfloat16")
    parameters = dict(_fresh(paper, backbone).bfloat16().named_parameters())
    with pytest.raises(ValueError, match="not float32"):
        require_masters(parameters)
    with pytest.raises(ValueError, match="not float32"):
        optimizer_of(parameters, paper.pretrain)


def test_sixteen_bit_floats_of_the_other_kind_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    values = whole(root, "paper")
    values["run"]["dtype"] = "float16"
    (tmp_path / "profiles" / "paper.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"run\.dtype.*'float32' or 'bfloat16'"):
        load_profile(tmp_path, "paper")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_MIXED_PRECISION", "fp16"),
        ("ACCELERATE_MIXED_PRECISION", "bf16"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
    ],
)
def test_the_environment_does_not_change_the_arithmetic(
    paper: Profile,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    from accelerate.state import AcceleratorState

    backbone = _opened(folder, paper, "float32")
    plain = _step(_trainer(paper, backbone, tmp_path / "plain"), 1)
    monkeypatch.setenv(name, value)
    AcceleratorState._reset_state(True)
    try:
        asked = _step(_trainer(paper, _opened(folder, paper, "float32"), tmp_path / "asked"), 1)
    finally:
        AcceleratorState._reset_state(True)
    assert asked == plain


def test_what_nothing_reads_is_known_by_name(paper: Profile, folder: Path) -> None:
    adapter = _fresh(paper, _opened(folder, paper, "float32"))
    assert adapter.unread == UNREACHED
    assert adapter.unread <= set(dict(adapter.named_parameters()))
    assert replace(adapter.config, use_face=False, use_ca=False)
