"""The port of an identity into the transformer: two more ways in, trained, stored and shown."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.nn.injection import table
from mm_model.nn.injection.port import IdentityInjection, Wanted
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.settings import TrainSettings, load_profile
from mm_model.settings.sections import ModelSettings
from mm_model.train.loop import Trainer
from tests.nn import pipes, tiny
from tests.nn.fake_injections import BehindBlocks, TextAlone
from tests.train.test_loop import _run, toy_data

REAL = table.INJECTIONS
FAKES = (TextAlone, BehindBlocks)
WANTED = Wanted(
    preset="",
    attention="joint",
    ca_out_proj="shared",
    face_perceiver="random",
    reference_margin=1.6,
    backbone_id="tiny",
)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "INJECTIONS", (MagicMirrorAdapter, *FAKES))


@pytest.fixture(scope="module")
def settings(root: Path) -> TrainSettings:
    few = {"steps": 4, "batch_size": 3, "log_every": 1, "identity_loss_from_step": 1}
    few |= {"warmup_steps": 1, "learning_rate": 1e-2, "gradient_checkpointing": True}
    few["drop_face"] = 0.4  # so that a few steps show the dropped kind too
    return load_profile(root, "tiny").pretrain.model_copy(update=few)


def opened(**given: Any) -> MagicMirrorPipeline:
    return pipes.plain_with(identity_encoder=tiny.identity_encoder(), **given)


def fresh(kind: type[IdentityInjection], transformer: Any) -> IdentityInjection:
    wanted = WANTED | {"preset": kind.PRESETS[0]}
    made = table.of_preset(wanted["preset"])
    assert made is kind
    return made.fresh(transformer, tiny.identity_encoder(), wanted, seed=4, dtype=torch.float32)


def trained(
    kind: type[IdentityInjection], settings: TrainSettings, folder: Path
) -> IdentityInjection:
    pipe = opened()
    adapter = fresh(kind, pipe.transformer)
    parts = {n: getattr(pipe, n) for n in ("tokenizer", "text_encoder", "vae", "transformer")}
    parts |= {"scheduler": pipe.scheduler, "identity_encoder": pipe.identity_encoder}
    for name in ("text_encoder", "vae"):
        parts[name].requires_grad_(False)
    backbone = Backbone(folder, **parts, device=torch.device("cpu"), dtype=torch.float32)
    trainer = Trainer(
        backbone,
        adapter,
        toy_data(folder / "precompute", 9),
        settings,
        seed=5,
        fingerprint="f",
        checkpoints=folder / "work",
    )
    before = {name: value.clone() for name, value in trainer.parameters.items()}
    base = [value.clone() for value in backbone.transformer.base_parameters()]
    _run(trainer)
    assert trainer.unreached() == []
    still = [n for n, value in trainer.parameters.items() if torch.equal(value, before[n])]
    assert still == [], "not trained"
    after = backbone.transformer.base_parameters()
    assert all(torch.equal(a, b) for a, b in zip(base, after, strict=True))
    return adapter.eval()


@pytest.mark.parametrize("kind", FAKES)
def test_another_way_in_is_trained_stored_and_shown(
    kind: type[IdentityInjection], settings: TrainSettings, tmp_path: Path
) -> None:
    learned = trained(kind, settings, tmp_path)
    learned.save_pretrained(tmp_path / "adapter", stage="pretrain", step=4)
    pipe = opened()
    pipe.load_adapter(tmp_path / "adapter")
    assert type(pipe.adapter) is kind and pipe.adapter.config.step == 4
    for name, value in learned.state_dict().items():
        assert torch.equal(value, pipe.adapter.state_dict()[name]), name
    somebody, somebody_else = pipes.subject(), pipes.subject(seed=9)
    clip = pipes.clip(pipe, reference_images=somebody)
    assert torch.equal(clip, pipes.clip(pipe, reference_images=somebody))
    assert not torch.equal(clip, pipes.clip(pipe, reference_images=somebody_else))
    plain = pipes.clip(pipes.plain(), pipes.PLAIN)
    assert not torch.equal(clip, plain)
    for nobody in (
        pipes.clip(pipe, reference_images=somebody, id_scale=0.0),
        pipes.clip(pipe),
    ):
        assert torch.equal(nobody, plain)


@pytest.mark.parametrize("kind", FAKES)
@pytest.mark.parametrize("mode", ["null", "keep", "base", "split"])
def test_every_guidance_takes_another_way_in(kind: type[IdentityInjection], mode: str) -> None:
    pipe = opened()
    adapter = fresh(kind, pipe.transformer)
    tiny.shake(adapter)
    pipe.register_modules(adapter=adapter.eval())
    asked = {"reference_images": pipes.subject(), "face_guidance": mode}
    with_tables = pipes.clip(pipe, **asked)
    pipe.modulation_tables = False
    assert torch.allclose(with_tables, pipes.clip(pipe, **asked), atol=1e-4)
    weaker = pipes.clip(pipe, **asked, id_scale=0.5)
    assert not torch.equal(weaker, with_tables)


@pytest.mark.parametrize("kind", FAKES)
def test_a_pipeline_s_folder_keeps_which_way_in_it_has(
    kind: type[IdentityInjection], tmp_path: Path
) -> None:
    pipe = opened()
    adapter = fresh(kind, pipe.transformer)
    tiny.shake(adapter)
    pipe.register_modules(adapter=adapter.eval())
    clip = pipes.clip(pipe, reference_images=pipes.subject())
    pipe.save_pretrained(tmp_path / "whole")
    again = MagicMirrorPipeline.from_pretrained(tmp_path / "whole")
    again.set_progress_bar_config(disable=True)
    assert torch.equal(pipes.clip(again, reference_images=pipes.subject()), clip)
    assert table.read_config(tmp_path / "whole" / "adapter").reference_margin == 1.6


def test_one_way_in_takes_the_place_of_another(tmp_path: Path) -> None:
    pipe, mirror = opened(), pipes.mirror()
    alone = pipes.clip(mirror, reference_images=pipes.subject())
    mirror.save_adapter(tmp_path / "mirror")
    behind = fresh(BehindBlocks, pipe.transformer)
    behind.save_pretrained(tmp_path / "behind")
    text = fresh(TextAlone, pipe.transformer)
    with pytest.raises(UserError, match="another adapter took their place"):
        behind.require_in(pipe.transformer)
    text.require_in(pipe.transformer)
    pipe.load_adapter(tmp_path / "behind")
    with pytest.raises(UserError, match="another adapter took their place"):
        text.require_in(pipe.transformer)
    pipe.load_adapter(tmp_path / "mirror")
    assert torch.equal(pipes.clip(pipe, reference_images=pipes.subject()), alone)
    pipe.unload_adapter()
    assert torch.equal(pipes.clip(pipe, pipes.PLAIN), pipes.clip(pipes.plain(), pipes.PLAIN))


@pytest.mark.parametrize("kind", [BehindBlocks, MagicMirrorAdapter])
def test_an_adapter_that_another_of_its_kind_replaced_is_refused(
    kind: type[IdentityInjection],
) -> None:
    """Two releases of one kind have equal places and classes: only the modules tell them apart."""
    transformer = opened().transformer
    wanted = WANTED | {"preset": "tiny" if kind is MagicMirrorAdapter else kind.PRESETS[0]}
    first, second = (
        kind.fresh(transformer, tiny.identity_encoder(), wanted, seed=seed) for seed in (4, 5)
    )
    second.require_in(transformer)
    with pytest.raises(UserError, match="another adapter took their place"):
        first.require_in(transformer)
    transformer.attach_adapter(first)
    first.require_in(transformer)
    with pytest.raises(UserError, match="another adapter took their place"):
        second.require_in(transformer)


def test_an_adapter_of_no_known_way_in_is_refused(tmp_path: Path) -> None:
    pipe = opened()
    fresh(TextAlone, pipe.transformer).save_pretrained(tmp_path)
    path = tmp_path / "magic_mirror_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"class": "Strange"}))
    with pytest.raises(UserError, match="'Strange', version 1; this program reads MagicMirrorAdap"):
        pipe.load_adapter(tmp_path)
    with pytest.raises(UserError, match="Unknown preset 'huge'; choose one of paper"):
        table.of_preset("huge")


def test_no_two_ways_in_share_a_name_or_a_preset() -> None:
    names = [kind.CONFIG.NAME for kind in table.INJECTIONS]
    presets = [name for kind in table.INJECTIONS for name in kind.PRESETS]
    assert len({*names}) == len(names) and len({*presets}) == len(presets)


def test_a_profile_may_name_every_preset_and_no_other() -> None:
    allowed = get_args(ModelSettings.model_fields["preset"].annotation)
    presets = {name for kind in REAL for name in kind.PRESETS}
    assert {*allowed} == presets, (
        "a preset stands in ModelSettings.preset (mm_model/settings/sections.py) and its class in "
        "INJECTIONS (mm_model/nn/injection/table.py)"
    )


def test_every_way_in_stands_in_the_table(root: Path) -> None:
    found = set()
    for path in (root / "mm_model").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                found |= {node.name} if "IdentityInjection" in bases else set()
    assert found == {kind.__name__ for kind in REAL}, "INJECTIONS, mm_model/nn/injection/table.py"
