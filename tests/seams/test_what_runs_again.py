"""What makes a finished stage run again: its own values, weights, inputs and version, no others."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_model.evaluate.people import Subject
from mm_model.facepack.port import Face
from mm_model.nn.identity.portrait import Photograph
from mm_model.quality import audit
from mm_model.run import runner
from mm_model.run.stage import Job, Report
from mm_model.store import manifest
from tests.seams.facts import Chain
from tests.stages.conftest import edit_profile, use_input

pytestmark = pytest.mark.slow


@pytest.fixture
def place(chain: Chain, tmp_path: Path) -> Path:
    """A copy of the chain whose weights are its own."""
    place = Path(
        shutil.copytree(
            chain.place,
            tmp_path / "root",
            ignore=shutil.ignore_patterns("work", "mlruns", "mlflow*"),
        )
    )
    for name in ("facepack", "judge"):
        source = Path(getattr(chain.job("evaluate", tmp_path / "job").params, name))
        use_input(place, name, shutil.copytree(source, place / name))
    return place


def runs(chain: Chain, place: Path, stage: str, version: int = 0) -> bool:
    """Whether the runner computes `stage`, which hands over what the chain has."""
    computed = []

    def run(job: Job) -> Report:
        computed.append(job.fingerprint)
        for path in chain.output(stage).iterdir():
            if path.name not in (manifest.NAME, audit.NAME, "report.json"):
                copy = shutil.copytree if path.is_dir() else shutil.copyfile
                copy(path, job.out / path.name)
        return Report(chain.counts(stage), {"digest": job.fingerprint})

    real = runner.stages.load(stage)
    other = dataclasses.replace(real, run=run, version=real.version + version)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.stages, "load", lambda _: other)
        runner.run(stage, place)
    return bool(computed)


def touch(place: Path, name: str) -> None:
    path = next((place / name).rglob("*.onnx"))
    path.write_bytes(path.read_bytes() + b"\0")


CHANGES: dict[str, tuple[str, Callable[[Path], Any], bool]] = {
    "its own value": ("pairs", lambda p: edit_profile(p, **{"pairs.per_target": 2}), True),
    "a value it also reads": ("pairs", lambda p: edit_profile(p, **{"run.seed": 7}), True),
    "a value of another": ("pairs", lambda p: edit_profile(p, **{"finetune.steps": 9}), False),
    "its weights": ("pairs", lambda p: touch(p, "facepack"), True),
    "other weights": ("pairs", lambda p: touch(p, "judge"), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_the_stage_run_again_if_it_is_its_own(
    chain: Chain, place: Path, change: str
) -> None:
    stage, make, expected = CHANGES[change]
    assert not runs(chain, place, stage), "nothing changed yet"
    make(place)
    assert runs(chain, place, stage) == expected
    assert not runs(chain, place, stage)


def test_another_version_or_input_makes_a_stage_run_again(chain: Chain, place: Path) -> None:
    assert runs(chain, place, "faces", version=1)
    assert runs(chain, place, "pairs")
    assert not runs(chain, place, "pairs")


def picture(number: int) -> Photograph:
    pixels = np.full((8, 8, 3), number, np.uint8)
    return Photograph(pixels, Face(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32)))


def subject(**changed: Any) -> Subject:
    said = {
        "identity": "id-1",
        "split": "held_out",
        "prompt": "a man",
        "shown": (picture(1),),
        "withheld": (picture(2),),
        "names": ("a", "b"),
        "true_clip": None,
    }
    return Subject(**said | changed)


def test_the_test_set_s_digest_follows_all_that_two_versions_are_compared_on(chain: Chain) -> None:
    """Otherwise a version is promoted by an easier test."""
    from mm_model.evaluate import study

    def digest(people: list[Subject], judging: str = "j", **rules: Any) -> str:
        evaluate = chain.profile.evaluate.model_copy(update=rules)
        job = SimpleNamespace(profile=chain.profile.model_copy(update={"evaluate": evaluate}))
        packs = {
            name: SimpleNamespace(digest=word, describe=dict)
            for name, word in (("pack", "p"), ("judge", judging))
        }
        return study._conditions(job, people, **packs)["test_set_digest"]

    usual = digest([subject()])
    assert usual == digest([subject()])
    others = [
        digest([subject(prompt="a woman")]),
        digest([subject(shown=(picture(3),))]),
        digest([subject(withheld=(picture(3),))]),
        digest([subject(), subject(identity="id-2")]),
        digest([subject(withheld=(picture(1),), shown=(picture(2),))]),
        digest([subject()], judging="k"),
        digest([subject()], guidance_scale=4.5),
        digest([subject()], inference_steps=9),
        digest([subject()], face_guidance="split"),
    ]
    assert len({usual, *others}) == len(others) + 1
