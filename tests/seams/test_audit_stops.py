"""A broken table stops the runner, whatever stage wrote it; nothing of it is published."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mm_model.errors import AuditError, UserError
from mm_model.quality import audit
from mm_model.quality.suites import suite_of
from mm_model.run import runner
from mm_model.run.stage import Job, Report
from mm_model.run.stages import NAMES
from mm_model.store import manifest
from tests.seams.facts import Chain

pytestmark = [pytest.mark.slow, pytest.mark.capability("audits", scale="T")]

BROKEN: dict[str, tuple[str, str, Any]] = {
    "sources": ("inventory", "source_id", "again"),
    "ingest": ("samples", "aspect", 9.0),
    "faces": ("samples", "sharpness", 1.0),
    "pairs": ("pairs", "cosine", 0.3),
    "precompute": ("pictures", "latent_std", np.nan),
    "pretrain": ("curve", "loss", np.nan),
    "finetune": ("curve", "step", 1),
    "evaluate": ("cells", "identity_similarity_penalised", 1.5),
    "register": ("release", "alias", "winner"),
}
"""Table, column and a value that breaks it in the rows that are kept."""


@pytest.fixture
def place(chain: Chain, tmp_path: Path) -> Path:
    """A copy of the chain whose stages may run."""
    return Path(
        shutil.copytree(
            chain.place,
            tmp_path / "root",
            ignore=shutil.ignore_patterns("work", "mlruns", "mlflow*"),
        )
    )


def recomputing(patch: pytest.MonkeyPatch, chain: Chain, stage: str, broken: bool) -> None:
    """Let the runner compute `stage` by handing over what the chain has, with one value broken."""

    def run(job: Job) -> Report:
        for path in chain.output(stage).iterdir():
            if path.name not in (manifest.NAME, audit.NAME, "report.json"):
                copy = shutil.copytree if path.is_dir() else shutil.copyfile
                copy(path, job.out / path.name)
        if broken:
            _break(job.out, stage)
        return Report(chain.counts(stage))

    real = runner.stages.load(stage)
    other = dataclasses.replace(real, run=run, confirm=None, version=real.version + 1)
    patch.setattr(runner.stages, "load", lambda _: other)


def _break(folder: Path, stage: str) -> None:
    name, column, value = BROKEN[stage]
    table = pd.read_parquet(folder / f"{name}.parquet")
    kept = table["status"] == "kept" if "status" in table else table[column].notna()
    rows = table.index[kept][:2]
    table.loc[rows, column] = value
    table.to_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize("stage", NAMES)
def test_a_broken_table_stops_the_runner_and_nothing_is_published(
    chain: Chain, place: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    recomputing(monkeypatch, chain, stage, broken=True)
    output = place / "data" / "tiny" / stage
    before = (output / manifest.NAME).read_bytes()
    with pytest.raises(AuditError, match=f"The audit of stage '{stage}' failed") as stopped:
        runner.run(stage, place)
    assert BROKEN[stage][1] in str(stopped.value) and "\n" not in str(stopped.value)
    assert (output / manifest.NAME).read_bytes() == before
    (candidate,) = (place / "work" / "tiny" / stage).glob("*/out/audit.json")
    assert json.loads(candidate.read_text())["success"] is False
    assert not (candidate.parent / manifest.NAME).exists()


def test_a_whole_table_is_published_by_the_same_way(
    chain: Chain, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recomputing(monkeypatch, chain, "pairs", broken=False)
    before = manifest.read(place / "data" / "tiny" / "pairs").fingerprint
    runner.run("pairs", place)
    assert manifest.verified(place / "data" / "tiny" / "pairs").fingerprint != before


@pytest.mark.parametrize("swallow", ["said good", "said nothing", "of another stage"])
def test_an_audit_that_was_swallowed_stops_the_runner(
    chain: Chain, place: Path, monkeypatch: pytest.MonkeyPatch, swallow: str
) -> None:
    """Whoever catches its error, or never asks, still has no verdict to publish with."""
    recomputing(monkeypatch, chain, "pairs", broken=True)
    real = audit.audit

    def swallowed(stage: str, folder: Path, *rest: Any) -> list:
        if swallow == "said good":
            try:
                real(stage, folder, *rest)
            except AuditError:
                return []
        elif swallow == "of another stage":
            shutil.copyfile(place / "data/tiny/faces" / audit.NAME, folder / audit.NAME)
        return []

    monkeypatch.setattr(audit, "audit", swallowed)
    output = place / "data" / "tiny" / "pairs"
    before = (output / manifest.NAME).read_bytes()
    with pytest.raises(UserError, match="audit"):
        runner.run("pairs", place)
    assert (output / manifest.NAME).read_bytes() == before


@pytest.mark.parametrize("stage", NAMES)
def test_every_published_output_holds_the_whole_verdict_of_its_own_suite(
    chain: Chain, stage: str
) -> None:
    said = json.loads((chain.output(stage) / audit.NAME).read_text())
    assert (said["stage"], said["success"], said["sentence"]) == (stage, True, None)
    bounds = runner.stages.load(stage).bounds()
    asked = [(c.snake_name, c.table, c.column) for c in suite_of(stage, chain.profile, bounds)]
    told = [(e["expectation"], e["table"], e["column"]) for e in said["expectations"]]
    assert sorted(told, key=str) == sorted(asked, key=str)
    assert audit.NAME in manifest.read(chain.output(stage)).files
