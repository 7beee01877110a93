"""All stages run once on a small world, for every test that asks what they left.

The values are such that what is mixed up shows: pictures are wider than high, both trainings
differ in steps, batch and rate, and raw clips are faster than the model's. While the chain runs,
what each stage reads of its settings is noted down beside it.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.report.views import VIEWS
from mm_model.run import runner
from mm_model.run.stage import Job, Report, Stage
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, Section
from tests.profiles import whole

PEOPLE = {
    "train_people": 6,
    "held_out_people": 4,
    "photos_per_person": 3,
    "clips_per_person": 1,
    "size": 128,
    "num_frames": 13,
    "fps": 12,
    "fault_rate": 0.05,
    "seed": 11,
}
QUICK = {
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_steps": 2,
    "identity_loss_from_step": 2,
    "milestones": [0.5],
}
PRETRAIN = {"steps": 6, "batch_size": 4, "sample_every": 3, "warmup_steps": 2}
FINETUNE = {
    "steps": 4,
    "batch_size": 6,
    "sample_every": 2,
    "warmup_steps": 1,
    "learning_rate": 1.0e-3,
}
HEIGHT, WIDTH = 64, 80
OTHER: dict[str, dict[str, Any]] = {
    "ingest": {
        "static_below": 0.25,
        "cut_above": 0.5,
        "text_area_above": 0.08,
        "max_aspect": 3.5,
        "min_side": 60,
        "max_frames": 500,
    },
    "faces": {
        "identity": "folders",
        "detection_above": 0.45,
        "padded_detection_above": 0.6,
        "pads": [0.12, 0.3],
        "found_share_min": 0.8,
        "min_face": 25,
        "min_sharpness": 12,
        "bystander_below": 0.3,
    },
    "pairs": {"cosine_above": 0.5},
    "precompute": {"shard_mb": 1, "text_batch": 3},
    "model": {"height": HEIGHT, "width": WIDTH, "crop_margin": 2.0, "reference_margin": 1.5},
    "pretrain": {
        "drop_face": 0.3,
        "final_lr_share": 0.2,
        "identity_loss_weight": 0.2,
        "noisy_share": 0.2,
        "face_loss_probability": 0.6,
        "sample_guidance": 2.5,
        "sample_face_guidance": "null",
        "streams": 2,
        "shuffle_shards": 1,
    },
    "finetune": {
        "final_lr_share": 0.2,
        "identity_loss_weight": 0.2,
        "sample_guidance": 1.5,
        "sample_face_guidance": "base",
    },
    "evaluate": {
        "inference_steps": 3,
        "clips_per_person": 3,
        "guidance_scale": 3.0,
        "face_guidance": "base",
    },
    "serve": {"sizes": [[HEIGHT, WIDTH]], "max_steps": 90, "max_references": 3},
}
"""Values that neither the shipped profile nor a default has: one written into the code shows."""
READS = "reads.json"
"""Beside the root: stage -> what it read (see `reading`), and the seconds it took."""
_PAGE = "mm_model.report.page"


def small_root(root: Path, place: Path) -> Path:
    """A root of its own: the shipped weights, few people, few steps."""
    (place / "profiles").mkdir(parents=True)
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name in ("facepack", "judge", "backbone"):
        params[name] = str(root / params[name])
    for name in ("judges", "captioners", "classifiers", "synthesizer"):
        (place / params[name]).mkdir(parents=True)
    profile = whole(root)
    for part in ("ingest", "faces", "pairs", "precompute", "pretrain", "finetune", "evaluate"):
        profile[part]["row_floor"] = 1
    profile["pretrain"] |= QUICK | PRETRAIN
    profile["finetune"] |= QUICK | FINETUNE
    profile["run"]["threads"] = 1
    for part, values in OTHER.items():
        same = {name for name, value in values.items() if profile[part][name] == value}
        assert same <= {"identity", "height"}, f"{part}: {same} are the shipped ones"
        profile[part] |= values
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    (place / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    (place / "profiles" / "people.yaml").write_text(yaml.safe_dump(PEOPLE))
    return place


def built(root: Path, factory: pytest.TempPathFactory) -> Path:
    """The root in which every stage has run: made by the first who asks, whatever the process.

    It is for reading. Who runs a stage or changes a file takes a copy.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    place, done = shared / "chain" / "root", shared / "chain" / READS
    place.parent.mkdir(exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file():
            assert not place.exists(), "an earlier test could not build the chain: see there"
            small_root(root, place)
            found = {}
            for name in NAMES:
                started = time.monotonic()
                with reading() as reads:
                    runner.run(name, place, VIEWS)
                found[name] = {kind: sorted(what) for kind, what in reads.items()}
                found[name]["seconds"] = time.monotonic() - started
            done.write_text(json.dumps(found))
    return place


@contextlib.contextmanager
def reading() -> Iterator[dict[str, set[str]]]:
    """Note which fields of a profile and entries of `params.yaml` are read meanwhile.

    `settings` and `models` are what the stage itself read while it computed, the report page that
    grows beside it left out; `anywhere` also what its runner, its audit and the views read.
    """
    reads: dict[str, set[str]] = defaultdict(set)
    sections: dict[int, tuple[str, Section]] = {}  # the object is kept, so that no number recurs
    computing: list[str] = []
    plain, model, load = Section.__getattribute__, Job.model, runner.stages.load

    def noted(self: Section, name: str) -> Any:
        value = plain(self, name)
        if name not in type(self).model_fields:
            return value
        whole = type(self) is Profile
        if whole and issubclass(type(value), Section):
            sections[id(value)] = (name.removesuffix("_"), value)
        part = f"{sections[id(self)][0]}." if id(self) in sections else ""
        if part or whole:
            reads["anywhere"].add(part + name)
            asking = sys._getframe(1).f_globals["__name__"]
            if part and computing and not asking.startswith(_PAGE):
                reads["settings"].add(part + name)
        return value

    def named(self: Job, name: str) -> Path:
        reads["models"].add(name)
        return model(self, name)

    def loaded(name: str) -> Stage:
        stage = load(name)

        def run(job: Job) -> Report:
            computing.append(name)
            try:
                return stage.run(job)
            finally:
                computing.clear()

        return dataclasses.replace(stage, run=run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Section, "__getattribute__", noted)
        patch.setattr(Job, "model", named)
        patch.setattr(runner.stages, "load", loaded)
        yield reads
