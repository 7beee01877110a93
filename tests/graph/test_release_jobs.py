"""Releases on Dagster's page: promote, rollback, pin, unpin, beside whatever else goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import (
    QueuedRunCoordinatorDaemon,
)

from mm_model.store import lease
from mm_model.store.layout import Layout
from orchestration import home, runs
from tests.graph.conftest import PATIENCE, REPOSITORY, Tree
from tests.graph.test_automation import NIGHT
from tests.serving.house import House
from tests.stages.test_releases import champion, grown, trained

__all__ = ["grown"]  # a root with two versions, the second of them champion
pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")


@pytest.fixture
def house(grown: Path, tmp_path: Path, monkeypatch: Any) -> House:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    return House.at(Path(shutil.copytree(grown, tmp_path / "root")))


def launched(house: House, job: str, **config: Any) -> dg.ExecuteInProcessResult:
    """Launch the job of the real definitions in the house, with the config of its one step."""
    definition = Tree(house.root).definitions().resolve_job_def(job)
    (step,) = (node.name for node in definition.nodes)
    return definition.execute_in_process(
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
        run_config={
            "ops": {step: {"config": config}} if config else {},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )


def shown(result: dg.ExecuteInProcessResult) -> str:
    """What the run shows: the metadata of its one output."""
    assert result.success
    (event,) = result.filter_events(lambda one: one.is_successful_output)
    return str(event.event_specific_data.metadata["what came of it"].value)


def refused(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.filter_events(lambda one: one.is_step_failure)
    return str(event.step_failure_data.user_failure_data.description)


@pytest.mark.slow
def test_each_move_is_made_and_said(house: House) -> None:
    assert "Version 1 is pinned as champion" in shown(launched(house, "rollback", reason="blue"))
    assert champion(house) == 1
    said = shown(launched(house, "promote", version=2, reason="it was the light"))
    assert "Version 2 is pinned" in said and "(it was the light)" in said
    assert champion(house) == 2
    assert "(-5% at $3)" in shown(launched(house, "pin", reason="-5% at $3"))
    assert trained(house, "three")["aliases"] == ["challenger"]
    assert "Promoted to champion." in shown(launched(house, "unpin"))
    assert champion(house) == 3
    assert "Version 1 is pinned" in shown(launched(house, "rollback", version=1))


@pytest.mark.slow
def test_what_cannot_be_done_fails_with_its_sentence(house: House) -> None:
    assert "There is no version 9" in refused(launched(house, "promote", version=9))
    assert "is not pinned: nothing was to be lifted." in refused(launched(house, "unpin"))
    assert champion(house) == 2


def test_a_rollback_is_possible_while_a_stage_is_at_work(house: House) -> None:
    with lease.held(Layout(house.root, "").lease, "A Dagster run", "finetune"):
        assert "Version 1 is pinned" in shown(launched(house, "rollback"))


@pytest.fixture
def books(tmp_path: Path, monkeypatch: Any) -> Iterator[dg.DagsterInstance]:
    """A Dagster home as the project makes it, with its queue."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(home.BOOKS, raising=False)
    home.prepare(tmp_path)
    assert dagster_instance_config(str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        yield instance


def made(
    tree: Tree, books: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus, **tags: str
) -> str:
    definition = tree.definitions().resolve_job_def(job)
    every = {**definition.run_tags, **tags}
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("orchestration.definitions"), "all")
    origin = RemoteJobOrigin(place, job)
    config = {"ops": {"make_champion": {"config": {"version": 1}}}} if job == "promote" else {}
    return books.create_run_for_job(
        definition, run_config=config, status=status, tags=every, remote_job_origin=origin
    ).run_id


def let_go_on(books: dg.DagsterInstance) -> set[str]:
    """Queued runs that Dagster's queue would start now."""
    queue = QueuedRunCoordinatorDaemon(interval_seconds=1)
    limits = books.get_concurrency_config()
    return {run.run_id for run in queue._get_runs_to_dequeue(books, limits, None)}


def test_the_queue_lets_a_rollback_pass_a_training(fresh: Tree, books: dg.DagsterInstance) -> None:
    made(fresh, books, "everything", dg.DagsterRunStatus.STARTED)
    queued = dg.DagsterRunStatus.QUEUED
    for job in ("everything", "subjects"):
        made(fresh, books, job, queued)
    moves = {made(fresh, books, job, queued) for job in ("rollback", "promote", "pin", "unpin")}
    assert let_go_on(books) == moves


def test_the_queue_takes_the_parts_of_backfills_one_by_one(
    fresh: Tree, books: dg.DagsterInstance
) -> None:
    queued = dg.DagsterRunStatus.QUEUED
    parts = [made(fresh, books, "subjects", queued, **{"dagster/backfill": "b"}) for _ in range(3)]
    assert let_go_on(books) == {parts[0]}


def test_a_release_s_run_keeps_no_night_from_its_run(
    fresh: Tree, books: dg.DagsterInstance
) -> None:
    made(fresh, books, "rollback", dg.DagsterRunStatus.QUEUED)
    (nightly,) = fresh.definitions().schedules
    with dg.build_schedule_context(books, scheduled_execution_time=NIGHT) as context:
        assert isinstance(nightly(context), dg.RunRequest)
        made(fresh, books, "everything", dg.DagsterRunStatus.QUEUED)
        assert isinstance(nightly(context), dg.SkipReason)


def until(condition: Any) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_run_of_chosen_assets_waits_for_the_one_at_work(fresh: Tree, tmp_path: Path) -> None:
    """Runs that nothing tells apart in the queue start at once; the second waits in its process."""
    fresh.behave(sources="sleep")
    environment = {
        **os.environ,
        "MM_ROOT": str(fresh.root),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m"]
    command += ["orchestration.definitions", "--select", "sources"]
    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: list(fresh.root.glob("sleeping-*")))
        with (tmp_path / "second.log").open("w") as log:
            second = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log
            )
        until(lambda: "this one waits for its end" in (tmp_path / "second.log").read_text())
        assert second.poll() is None
        fresh.behave()
        first.terminate()
        first.wait(60)
        assert second.wait(180) == 0, (tmp_path / "second.log").read_text()[-2000:]
    finally:
        for one in (first, locals().get("second")):
            if one is not None and one.poll() is None:
                one.kill()


def test_the_queue_s_limits_are_what_the_tags_say() -> None:
    """The tag of the jobs and the one that the queue limits are written in two files."""
    limits = yaml.safe_load((REPOSITORY / "orchestration" / "dagster.yaml").read_text())
    keys = {one["key"] for one in limits["concurrency"]["runs"]["tag_concurrency_limits"]}
    from orchestration.definitions import defs

    tags = {key for job in ("everything", "subjects") for key in defs.resolve_job_def(job).run_tags}
    assert json.dumps(sorted(tags & keys)) == '["magic_mirror/tree"]'
    assert not keys & runs.BESIDE.keys()
