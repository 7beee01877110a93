"""Fixtures of the stage tests: a small root of its own, a quiet tracker, runs of single stages."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.run import stages
from mm_model.run.runner import fingerprint_of, model_digests
from mm_model.run.stage import Job, Report
from mm_model.settings import load_params, load_profile
from mm_model.store import atomic, manifest, tables
from mm_model.store.layout import Layout
from tests.stages.tarred import TERMS, say

SMALL_PEOPLE = {
    "train_people": 3,
    "held_out_people": 2,
    "photos_per_person": 3,
    "clips_per_person": 2,
    "size": 96,
    "num_frames": 9,
    "fps": 8,
    "fault_rate": 0.0,
    "seed": 7,
}


class QuietTracker:
    """Takes what a tracker takes and keeps the metrics; sends nothing anywhere."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict, int | None]] = []

    @contextlib.contextmanager
    def running(self, *_: object) -> Iterator[None]:
        yield

    def log(self, metrics: dict, step: int | None = None) -> None:
        self.logged.append((metrics, step))

    def picture(self, path: Path, name: str, step: int | None = None) -> None:
        pass

    def report(self, report: Report) -> None:
        pass


@pytest.fixture
def small_root(tmp_path: Path, root: Path) -> Path:
    """A temporary root: profile `tiny` with small row floors, five procedural people.

    The shipped weights are named by absolute path. Change values with `edit_profile`.
    """
    place = tmp_path / "root"
    shutil.copytree(root / "profiles", place / "profiles", ignore=lambda *_: ["local.yaml"])
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name in ("facepack", "judge", "backbone"):
        params[name] = str(root / params[name])
    for name in ("judges", "captioners", "classifiers", "synthesizer"):
        (place / params[name]).mkdir(parents=True)
    params |= {"profile": "tiny", "sources": "profiles/people.yaml"}
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    (place / "profiles" / "people.yaml").write_text(yaml.safe_dump(SMALL_PEOPLE))
    parts = ("ingest", "faces", "pairs", "precompute", "pretrain", "finetune", "evaluate")
    edit_profile(place, **{f"{part}.row_floor": 1 for part in parts})
    return place


def edit_profile(place: Path, **values: Any) -> None:
    """Set values by dotted name: `edit_profile(place, **{"faces.max_faces": 2})`."""
    params = yaml.safe_load((place / "params.yaml").read_text())
    path = place / "profiles" / f"{params['profile']}.yaml"
    content = yaml.safe_load(path.read_text())
    for name, value in values.items():
        *parents, last = name.split(".")
        node = content
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def use_input(place: Path, name: str, path: Path | str) -> None:
    """Point an entry of the root's params.yaml (sources, backbone, ...) at another path."""
    params = yaml.safe_load((place / "params.yaml").read_text())
    (place / "params.yaml").write_text(yaml.safe_dump(params | {name: str(path)}))


def use_sources(place: Path, sources: Path | str) -> None:
    """Point the root's params.yaml at another folder or recipe."""
    use_input(place, "sources", sources)


def make_job(place: Path, name: str) -> Job:
    """The job of stage `name` below `place`, its inputs verified, without the runner's views."""
    params = load_params(place)
    profile, layout, stage = (
        load_profile(place, params.profile),
        Layout(place, params.profile),
        (stages.load(name)),
    )
    inputs = {taken: layout.output(taken) for taken in stage.takes}
    taken = {key: manifest.verified(path).digest for key, path in inputs.items()}
    models = model_digests(stage, params, layout)
    fingerprint = fingerprint_of(stage, profile, taken, models)
    work = layout.work(name, fingerprint)
    return Job(
        stage, params, profile, layout, fingerprint, inputs, work, work / "out", QuietTracker()
    )


def run_stage(place: Path, name: str) -> Report:
    """Run one stage as the runner does, without audit, tracking and derived views."""
    job = make_job(place, name)
    shutil.rmtree(job.out, ignore_errors=True)
    job.out.mkdir(parents=True)
    report = job.stage.run(job)
    atomic.write_json(job.out / "report.json", report.as_dict())
    said = manifest.Manifest(name, job.stage.version, job.fingerprint, {}, "", report.as_dict())
    manifest.seal(job.out, said)
    atomic.publish_folder(job.out, job.layout.output(name))
    return report


@pytest.fixture(name="run_stage")
def run_stage_fixture() -> Callable[[Path, str], Report]:
    """`run_stage(place, name)`: publish one stage's output below `place/data/tiny/<name>`."""
    return run_stage


@pytest.fixture(name="edit_profile")
def edit_profile_fixture() -> Callable[..., None]:
    """`edit_profile(place, **{"section.key": value})`."""
    return edit_profile


@pytest.fixture(name="use_sources")
def use_sources_fixture() -> Callable[[Path, Path | str], None]:
    """`use_sources(place, folder_or_recipe)`."""
    return use_sources


@pytest.fixture
def edit_params() -> Callable[..., None]:
    """`edit_params(place, backbone=path)`."""

    def edit(place: Path, **values: str) -> None:
        params = yaml.safe_load((place / "params.yaml").read_text())
        (place / "params.yaml").write_text(yaml.safe_dump(params | values))

    return edit


@pytest.fixture(name="make_job")
def make_job_fixture() -> Callable[[Path, str], Job]:
    """`make_job(place, stage)`: a job to call a stage's own functions with."""
    return make_job


@pytest.fixture
def shards(small_root: Path, use_sources: Callable) -> Path:
    """A folder of tars that the root's params.yaml names; no tar lies there yet."""
    use_sources(small_root, "raw")
    say(small_root / "raw", **TERMS)
    return small_root / "raw"


@pytest.fixture
def read(small_root: Path, run_stage: Callable) -> Callable:
    """Run stage sources: rows by name, captions by name, the report."""

    def run() -> tuple[dict, dict, object]:
        report = run_stage(small_root, "sources")
        out = small_root / "data" / "tiny" / "sources"
        rows = {row["name"]: row for row in tables.records(out / "inventory.parquet")}
        said = json.loads((out / "captions.json").read_text())
        return rows, {n: said.get(r["source_id"]) for n, r in rows.items()}, report

    return run
