"""What cannot be learned is refused before it costs anything; silent weights are named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from mm_model.errors import UserError
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.recognizer import OnnxRecognizer
from mm_model.run import feasible, runner
from mm_model.settings import TrainSettings, load_profile
from mm_model.train.identity_loss import identity_loss
from mm_model.train.loop import Trainer
from tests.nn import tiny
from tests.profiles import whole
from tests.train.test_loop import _run, _step, toy_backbone, toy_data

pytestmark = pytest.mark.capability("identity loss", scale="T")


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    quick = {
        "steps": 12,
        "batch_size": 3,
        "log_every": 1,
        "sample_every": 20,
        "warmup_steps": 2,
        "checkpoint_every": 20,
        "identity_loss_from_step": 0,
    }
    return load_profile(root, "tiny").pretrain.model_copy(update=quick)


@pytest.fixture(scope="module")
def onnx(tiny_facepack: Path) -> OnnxRecognizer:
    return OnnxRecognizer(tiny_facepack / "recognizer.onnx")


def _trainer(settings: TrainSettings, folder: Path, recognizer: object = None) -> Trainer:
    backbone, adapter = toy_backbone()
    if recognizer is not None:
        del backbone.identity_encoder.recognizer
        backbone.identity_encoder.recognizer = recognizer
    return Trainer(
        backbone,
        adapter,
        toy_data(folder / "precompute", width=getattr(recognizer, "width", 16)),
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=folder,
    )


class Blind(torch.nn.Module):
    """A recogniser with a fault: it sees `part` of the gradient, or looks away altogether."""

    width = 16

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.net = fault, tiny.recognizer().requires_grad_(False)

    def embed(self, aligned: torch.Tensor) -> torch.Tensor:
        if self.fault == "flat":  # connected, but the same whatever it is shown
            return self.net.embed(aligned * 0.0)
        if self.fault == "rounding":
            return self.net.embed(((aligned + 1) * 127.5).round() / 127.5 - 1)
        with torch.no_grad():
            return self.net.embed(aligned)


def _loss(recognizer: object, learn: bool = True):
    x0 = torch.randn(2, 1, 8, 8, 8).requires_grad_(learn)
    marks = torch.tensor([[24.0, 26], [40, 26], [32, 36], [26, 44], [38, 44]]).expand(2, 5, 2)
    boxes = torch.tensor([16.0, 16, 48, 52]).expand(2, 4)
    alpha, valid = torch.tensor([0.9, 0.8]), torch.ones(2, dtype=torch.bool)
    vae = tiny.vae().requires_grad_(False)
    reference = torch.randn(2, recognizer.width)
    return identity_loss(
        x0,
        alpha,
        landmarks=marks,
        boxes=boxes,
        valid=valid,
        reference=reference,
        vae=vae,
        recognizer=recognizer,
    )


def test_the_loss_itself_refuses_a_recogniser_without_gradient(onnx: OnnxRecognizer) -> None:
    with pytest.raises(UserError, match=r"OnnxRecognizer.*identity_loss_weight to 0"):
        _loss(onnx)
    assert 0 <= float(_loss(onnx, learn=False).loss) <= 2  # measuring needs no gradient
    with torch.no_grad():
        assert 0 <= float(_loss(onnx).loss) <= 2
    assert _loss(tiny.recognizer().requires_grad_(False)).loss.requires_grad


@pytest.mark.parametrize("fault", ["onnx", "no_grad", "flat", "rounding"])
def test_no_step_is_made_with_an_identity_loss_that_teaches_nothing(
    settings: TrainSettings, tmp_path: Path, onnx: OnnxRecognizer, fault: str
) -> None:
    recognizer = onnx if fault == "onnx" else Blind(fault)
    trainer = _trainer(settings, tmp_path, recognizer)
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    with pytest.raises(UserError, match=r"identity loss.*to 0"):
        for step in range(1, settings.steps):
            for name, p in trainer.parameters.items():
                before[name] = p.detach().clone()
            _step(trainer, step)
    assert all(torch.equal(p, before[name]) for name, p in trainer.parameters.items())


def test_a_prediction_that_is_cut_off_is_refused(settings: TrainSettings, tmp_path: Path) -> None:
    trainer = _trainer(settings, tmp_path)
    whole = trainer.model.forward
    trainer.model.forward = lambda *inputs, **named: whole(*inputs, **named).detach()
    with pytest.raises(UserError, match="velocity loss is cut off"):
        _step(trainer, 1)


def test_proving_a_loss_changes_no_gradient(settings: TrainSettings, tmp_path: Path) -> None:
    proving, trusting = _trainer(settings, tmp_path), _trainer(settings, tmp_path)
    trusting._proven = {"velocity", "identity"}
    for step in range(1, 7):
        assert _step(proving, step) == _step(trusting, step)
    assert proving._proven == trusting._proven
    for name, value in proving.parameters.items():
        assert torch.equal(value, trusting.parameters[name]), name


def test_silent_weights_are_named_early_and_at_the_end(
    settings: TrainSettings, tmp_path: Path
) -> None:
    never = {"drop_face": 0.0, "drop_both": 0.0, "drop_text": 0.0}
    trainer = _trainer(settings.model_copy(update=never), tmp_path)
    said: list[str] = []
    trainer.run(lambda m, s: None, lambda step: None, said.append)
    assert trainer.unreached() == ["null_id", "null_face"]
    assert [line for line in said if "no gradient so far" in line] == [
        "no gradient so far for 2 trained tensors: null_id, null_face"
    ]


def test_a_part_that_is_cut_off_is_named(settings: TrainSettings, tmp_path: Path) -> None:
    trainer = _trainer(settings, tmp_path)
    perceiver = trainer.adapter.face_perceiver
    whole = perceiver.forward
    perceiver.forward = lambda *inputs, **named: whole(*inputs, **named).detach()
    _run(trainer)
    silent = trainer.unreached()
    assert set(silent) == {f"face_perceiver.{name}" for name, _ in perceiver.named_parameters()}


def test_where_all_is_well_nothing_is_said(settings: TrainSettings, tmp_path: Path) -> None:
    trainer, said = _trainer(settings, tmp_path), []
    trainer.run(lambda m, s: None, lambda step: None, said.append)
    assert trainer.unreached() == [] and not any("no gradient" in line for line in said)


@pytest.fixture
def house(root: Path, tmp_path: Path, onnx: OnnxRecognizer) -> Path:
    """A root whose backbone conditions on an ONNX file; nothing else in it is looked at."""
    encoder = tiny.identity_encoder()
    encoder = IdentityEncoder(encoder.vision_model, encoder.id_perceiver, tiny.PERCEIVER, onnx)
    encoder.save_pretrained(tmp_path / "backbone" / "identity_encoder")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "paper.yaml").write_text(yaml.safe_dump(whole(root, "paper")))
    shutil.copy(root / "profiles" / "prompts.txt", tmp_path / "profiles")
    params = yaml.safe_load((root / "params.yaml").read_text())
    params |= {"profile": "paper", "backbone": "backbone", "sources": "media"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


@pytest.mark.parametrize("stage", feasible.LEADING)
def test_every_stage_before_and_at_training_refuses_it_before_any_work(
    house: Path, stage: str
) -> None:
    before = sorted(house.rglob("*"))
    with pytest.raises(UserError, match=r"ONNX.*pretrain\.identity_loss_weight and finetune"):
        runner.run(stage, house)
    assert sorted(house.rglob("*")) == before


def _weights(house: Path, **changes: dict) -> Path:
    path = house / "profiles" / "paper.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in changes.items():
        content[section] |= values
    path.write_text(yaml.safe_dump(content))
    return path


def test_only_a_loss_that_is_asked_for_is_refused(house: Path) -> None:
    def refused() -> str:
        try:
            feasible.refuse_blind_recognizer(load_profile(house, "paper"), house / "backbone")
        except UserError as error:
            return str(error)
        return ""

    _weights(house, pretrain={"identity_loss_weight": 0})
    assert "set finetune.identity_loss_weight to 0" in refused()
    _weights(house, finetune={"identity_loss_from_step": 5000})  # the last of 5000 steps
    assert not refused()
    _weights(house, finetune={"identity_loss_from_step": 4999})
    assert refused()
    description = house / "backbone" / "identity_encoder" / "identity_encoder.json"
    said = json.loads(description.read_text())
    description.write_text(json.dumps({**said, "recognizer": None}))
    assert "the recogniser is missing" in refused()
    description.write_text(json.dumps({**said, "recognizer": {"kind": "torch"}}))
    assert not refused()
    description.unlink()
    assert not refused()  # loading the backbone says so, with the way out
