"""A small repository root with a random adapter, ready for the stage register and for serving."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.run.stage import Job
from mm_model.serving import code
from mm_model.settings import load_params, load_profile
from mm_model.store import digests, manifest
from mm_model.store.layout import Layout
from mm_model.tracking.tracker import Tracker
from tests.profiles import whole

ROOT = Path(__file__).resolve().parents[2]


def random_backbone(folder: Path) -> None:
    """A backbone folder of the real classes with random weights (tests/nn/tiny.py)."""
    from diffusers import CogVideoXPipeline

    from mm_model.diffusion.schedule import build_scheduler
    from tests.nn import tiny

    CogVideoXPipeline(
        tiny.tokenizer(),
        tiny.text_encoder(),
        tiny.vae(),
        tiny.base_transformer(),
        build_scheduler(),
    ).save_pretrained(folder)
    tiny.identity_encoder().save_pretrained(folder / "identity_encoder")


def random_adapter(backbone: Path, folder: Path, seed: int = 0) -> None:
    """An adapter for that backbone whose every parameter is off its neutral start."""
    from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
    from mm_model.nn.magic_mirror.presets import adapter_config
    from tests.nn import tiny

    encoder, model = tiny.identity_encoder(), tiny.transformer()
    config = adapter_config(
        "tiny",
        model.config,
        encoder.clip_dim,
        encoder.id_dim,
        recognizer_sha256=encoder.recognizer_sha256,
    )
    adapter = MagicMirrorAdapter.create(model, config, seed)
    tiny.shake(adapter, seed, 0.05)
    adapter.save_pretrained(folder)


def metrics(
    identity: list[float],
    test_set: str = "a" * 64,
    *,
    copy_paste_gap: float | None = 0.0,
    candidate: str = "finetune",
    **others: float | None,
) -> dict[str, Any]:
    """An evaluation in the schema of `metrics.json`; identity of the candidate per person."""
    mean = sum(identity) / len(identity)
    values = {"face_found_rate": 0.9, "fm_ref": 0.1, "fm_inter": 0.2, **others}
    number = {name: {"value": v, "low": v, "high": v} for name, v in values.items()}
    ours = {"identity": {"value": mean, "low": mean, "high": mean}, **number}
    base = {
        "identity": {"value": 0.0, "low": 0.0, "high": 0.0},
        "face_found_rate": {"value": 0.9, "low": 0.9, "high": 0.9},
        "fm_inter": {"value": 0.2, "low": 0.2, "high": 0.2},
    }
    return {
        "people": len(identity),
        "identities": [f"p{k}" for k in range(len(identity))],
        "variants": {"base": base, candidate: ours},
        "candidate": candidate,
        "gain": {"candidate_over_base": {"value": mean, "low": mean - 0.05, "high": mean + 0.05}},
        "goals": [
            {
                "name": "copy_paste_gap",
                "value": copy_paste_gap,
                "least": None,
                "most": 0.05,
                "passed": None if copy_paste_gap is None else copy_paste_gap <= 0.05,
                "decides": True,
                "applies": True,
            }
        ],
        "per_person": {
            candidate: {
                "identity": identity,
                **{
                    name: [values[name]] * len(identity) for name in ("fm_inter", "face_found_rate")
                },
            }
        },
        "test_set_digest": test_set,
    }


class House:
    """A root folder: profile, weights, published outputs of finetune and evaluate."""

    def __init__(self, root: Path, facepack: Path | None = None, detection_size: int = 160) -> None:
        self.root = root
        profile = whole(ROOT)
        profile["run"]["threads"] = 1
        profile["faces"]["detection_size"] = detection_size
        (root / "profiles").mkdir(parents=True)
        (root / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(profile))
        pack = root / "weights" / "pack"
        if facepack is None:
            pack.mkdir(parents=True)
            (pack / "detector.onnx").write_bytes(b"stands for a detector")
        else:
            shutil.copytree(facepack, pack)
        places = {
            "profile": "tiny",
            "sources": "none",
            "facepack": "weights/pack",
            "judge": "weights/pack",
            "judges": "weights/judges",
            "captioners": "weights/captioners",
            "classifiers": "weights/classifiers",
            "synthesizer": "weights/synthesizer",
            "backbone": "weights/backbone",
        }
        (root / "params.yaml").write_text(yaml.safe_dump(places))
        self.layout = Layout(root, "tiny")

    @classmethod
    def at(cls, root: Path) -> House:
        """The house that lies at `root` already."""
        house = cls.__new__(cls)
        house.root, house.layout = root, Layout(root, "tiny")
        return house

    def stub_weights(self, mark: str = "one") -> None:
        """Folders that stand for weights where nothing is generated."""
        backbone = self.root / "weights" / "backbone"
        backbone.mkdir(parents=True, exist_ok=True)
        (backbone / "model_index.json").write_text("{}")
        adapter = self.layout.output("finetune") / "adapter"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "magic_mirror_config.json").write_text(json.dumps({"mark": mark}))
        self._seal("finetune")
        self._other_stage()

    def _other_stage(self) -> None:
        """An adapter of pretraining that is told from that of fine-tuning."""
        other = self.layout.output("pretrain") / "adapter"
        other.mkdir(parents=True, exist_ok=True)
        (other / "magic_mirror_config.json").write_text(json.dumps({"mark": "pretrain"}))
        self._seal("pretrain")

    def real_weights(self) -> None:
        """A random backbone and adapter of the real classes."""
        backbone = self.root / "weights" / "backbone"
        random_backbone(backbone)
        random_adapter(backbone, self.layout.output("finetune") / "adapter")
        self._seal("finetune")
        self._other_stage()

    def evaluated(self, numbers: dict[str, Any]) -> None:
        """Publish an evaluation."""
        folder = self.layout.output("evaluate")
        folder.mkdir(parents=True, exist_ok=True)
        stage = numbers.get("candidate", "finetune")
        measured = code.measured(self.layout.output(stage) / "adapter")
        (folder / "metrics.json").write_text(json.dumps({"measured": measured, **numbers}))
        self._seal("evaluate")

    def _seal(self, stage: str) -> None:
        report = {
            "total": 1,
            "kept": 1,
            "rejected": {},
            "failed": {},
            "line": "",
            "metrics": {},
            "pictures": [],
            "notes": [],
        }
        manifest.seal(
            self.layout.output(stage), manifest.Manifest(stage, 1, "f" * 64, {}, "s" * 64, report)
        )

    def job(self) -> Job:
        """A job of the stage register over the published outputs."""
        from mm_model.register.stage import STAGE

        inputs = {name: self.layout.output(name) for name in STAGE.takes}
        fingerprint = digests.of_value([manifest.read(path).digest for path in inputs.values()])
        work = self.layout.work("register", fingerprint)
        (work / "out").mkdir(parents=True, exist_ok=True)
        return Job(
            STAGE,
            load_params(self.root),
            load_profile(self.root, "tiny"),
            self.layout,
            fingerprint,
            inputs,
            work,
            work / "out",
            Tracker(self.layout, "register"),
        )

    def register(self) -> dict[str, Any]:
        """Run the stage and publish its output; returns `release.json`."""
        from mm_model.register import stage as register

        job = self.job()
        register.run(job)
        output = self.layout.output("register")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(job.out, output)
        return json.loads((output / "release.json").read_text())

    def register_two(self) -> None:
        """Two versions of other weights, of which the first does better and stays champion."""
        for mark, identity in (("one", [0.3, 0.4, 0.5, 0.4]), ("two", [0.2, 0.3, 0.4, 0.3])):
            self.stub_weights(mark)
            self.evaluated(metrics(identity))
            self.register()


@contextlib.contextmanager
def alone(root: Path) -> Iterator[House]:
    """A new house whose registry is its own, whatever server the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield House(root)
