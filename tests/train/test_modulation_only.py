"""`trained: modulation`: CAN and phi_face learn, and nothing else moves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from mm_model.errors import UserError
from mm_model.nn.injection import files
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.settings import TrainSettings, load_profile
from mm_model.train.loop import Trainer
from tests.nn import tiny
from tests.profiles import whole
from tests.train.test_loop import _run, toy_backbone, toy_data

pytestmark = pytest.mark.capability("modulation only", scale="T")

PREDICTORS = {
    *(f"can_proj.{kind}" for kind in ("weight", "bias")),
    *(
        f"layers.{n}.can.{p}.{k}"
        for n in (0, 2)
        for p in ("fc1", "fc2")
        for k in ("weight", "bias")
    ),
    *(f"layers.{n}.face_mod.linear.{kind}" for n in (0, 2) for kind in ("weight", "bias")),
}


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    quick = {
        "steps": 4,
        "batch_size": 3,
        "log_every": 1,
        "sample_every": 20,
        "warmup_steps": 1,
        "checkpoint_every": 2,
        "identity_loss_from_step": 20,
        "trained": "modulation",
    }
    return load_profile(root, "tiny").pretrain.model_copy(update=quick)


def _trainer(settings: TrainSettings, folder: Path, mode: str = "joint") -> Trainer:
    backbone, _ = toy_backbone()
    transformer, adapter = tiny.with_adapter(attention_mode=mode)
    return Trainer(
        replace(backbone, transformer=transformer),
        adapter,
        toy_data(folder / "precompute"),
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )


def _copies(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def test_only_the_modulation_moves(settings: TrainSettings, tmp_path: Path) -> None:
    trainer = _trainer(settings, tmp_path)
    before, base = _copies(trainer.adapter), _copies(trainer.backbone.transformer)
    _run(trainer)
    after = trainer.adapter.state_dict()
    assert {n for n, value in before.items() if not torch.equal(value, after[n])} == PREDICTORS
    now = trainer.backbone.transformer.state_dict()
    assert all(torch.equal(v, now[n]) for n, v in base.items() if ".adapter." not in n)
    assert trainer.unreached() == []


def test_a_run_that_is_cut_off_goes_on_as_if_it_were_not(
    settings: TrainSettings, tmp_path: Path
) -> None:
    straight = _trainer(settings, tmp_path / "straight")
    _run(straight)

    def cut(_metrics: dict, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _trainer(settings, tmp_path / "cut").run(cut, lambda _: None, lambda _: None)
    resumed = _trainer(settings, tmp_path / "cut")
    _run(resumed)
    expected, found = straight.adapter.state_dict(), resumed.adapter.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_adapter_s_file_says_what_was_trained(settings: TrainSettings, tmp_path: Path) -> None:
    trainer = _trainer(settings, tmp_path)
    _run(trainer)
    folder = trainer.adapter.save_pretrained(tmp_path / "adapter", stage="pretrain", step=4)
    said = json.loads((folder / files.CONFIG_NAME).read_text())
    assert said["trained"] == "modulation"
    again = MagicMirrorAdapter.from_pretrained(folder, tiny.transformer())
    assert again.config.trained == "modulation"
    before = {name: value for name, value in said.items() if name != "trained"}
    (folder / files.CONFIG_NAME).write_text(json.dumps(before))
    old = MagicMirrorAdapter.from_pretrained(folder, tiny.transformer())
    assert old.config.trained == "all"


@pytest.mark.parametrize("mode", ["asymmetric", "gated_joint"])
def test_what_no_gradient_reaches_is_named(
    settings: TrainSettings, tmp_path: Path, mode: str
) -> None:
    """The values of the cross-attention, and gates, begin at zero and stay there, so faces reach
    nobody.
    """
    trainer = _trainer(settings.model_copy(update={"steps": 2}), tmp_path, mode)
    _run(trainer)
    assert trainer.unreached() == sorted(
        (name for name in PREDICTORS if "face_mod" in name),
        key=list(trainer.parameters).index,
    )


def test_an_adapter_without_predictors_is_refused() -> None:
    pair = tiny.with_adapter(use_can=False, use_ca=False, use_face=False)
    with pytest.raises(UserError, match=r"no modulation predictors.*set trained to all"):
        MagicMirrorModel(*pair, "modulation")


def test_everything_may_be_trained_again_afterwards() -> None:
    transformer, adapter = tiny.with_adapter()
    MagicMirrorModel(transformer, adapter, "modulation")
    model = MagicMirrorModel(transformer, adapter)
    assert model.trained_parameters().keys() == dict(adapter.named_parameters()).keys()
    assert all(p.requires_grad for p in adapter.parameters())
    assert adapter.config.trained == "all"


def test_another_word_is_refused_by_its_field(root: Path, tmp_path: Path) -> None:
    values = whole(root)
    values["pretrain"]["trained"] = "norms"
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"pretrain\.trained.*'all' or 'modulation'"):
        load_profile(tmp_path, "tiny")
    with pytest.raises(UserError, match="choose one of all, modulation"):
        MagicMirrorModel(*tiny.with_adapter(), "norms")
