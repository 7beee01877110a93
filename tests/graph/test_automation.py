"""The schedule, the sensors, and the settling of runs whose process is gone: tick by tick."""

import datetime
from pathlib import Path

import dagster as dg
import pytest

from orchestration import runs, sensors
from orchestration.schedules import nightly
from tests.graph.conftest import Tree

NIGHT = datetime.datetime(2026, 3, 1, 2, tzinfo=datetime.UTC)


def _started_run(tree: Tree, process: str | None = None) -> str:
    run = tree.instance.create_run_for_job(
        tree.definitions().resolve_job_def("everything"), status=dg.DagsterRunStatus.STARTED
    )
    if process is None:
        runs.claim(tree.instance, run.run_id)
    else:
        tree.instance.add_run_tags(run.run_id, {runs.TAG: process})
    return run.run_id


def _dead_process() -> str:
    import socket

    return f"{socket.gethostname()}:999999999:1.00"


def _tick_new_media(tree: Tree, cursor: str | None = None) -> dg.SensorResult:
    with dg.build_sensor_context(
        tree.instance, resources={"stages": tree.client}, cursor=cursor,
        definitions=tree.definitions(),
    ) as context:  # fmt: skip
        return sensors.new_media.evaluate_tick(context)


def test_what_is_on_by_default(fresh: Tree) -> None:
    assert nightly.default_status is dg.DefaultScheduleStatus.STOPPED
    assert sensors.new_media.default_status is dg.DefaultSensorStatus.STOPPED
    assert sensors.outside_runs.default_status is dg.DefaultSensorStatus.RUNNING
    loaded = fresh.definitions()
    assert {schedule.name for schedule in loaded.schedules} == {"nightly"}
    assert {sensor.name for sensor in loaded.sensors} == {"new_media", "outside_runs"}


def test_nightly_asks_once_a_night_unless_a_run_is_going_on(fresh: Tree, tmp_path: Path) -> None:
    fresh.instance = dg.DagsterInstance.local_temp(str(tmp_path))

    def tick() -> dg.RunRequest | dg.SkipReason:
        context = dg.build_schedule_context(fresh.instance, scheduled_execution_time=NIGHT)
        return nightly(context)

    assert tick().run_key == "2026-03-01"
    going_on = _started_run(fresh)
    assert isinstance(tick(), dg.SkipReason)
    fresh.instance.report_run_canceled(fresh.instance.get_run_by_id(going_on))
    assert tick().run_key == "2026-03-01"


def test_a_run_whose_process_is_gone_holds_nothing_up(fresh: Tree) -> None:
    storage = fresh.instance.event_log_storage
    storage.set_concurrency_slots("gpu", 1)
    dead = _started_run(fresh, _dead_process())
    assert storage.claim_concurrency_slot("gpu", dead, "pretrain").is_claimed
    other = _started_run(fresh, "another-host:1:1.00")
    assert not storage.claim_concurrency_slot("gpu", other, "pretrain").is_claimed

    assert runs.settle(fresh.instance) == 1
    assert fresh.instance.get_run_by_id(dead).status is dg.DagsterRunStatus.FAILURE
    assert fresh.instance.get_run_by_id(other).status is dg.DagsterRunStatus.STARTED
    assert storage.get_concurrency_info("gpu").active_run_ids in (set(), {other})
    assert runs.under_way(fresh.instance), "the run of another machine is not judged"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the quiet period pass."""
    now = runs.now
    monkeypatch.setattr(runs, "now", lambda: now() + sensors.QUIET_SECONDS + 5)


def _arrive(tree: Tree, number: int, name: str = "clip") -> None:
    for index in range(number):
        (tree.root / "raw" / f"{name}-{index}").write_text(name)


def test_new_media_waits_for_enough_files(fresh: Tree, later: None) -> None:
    _arrive(fresh, sensors.MINIMUM_FILES - 2)  # one was there already
    tick = _tick_new_media(fresh)
    assert not tick.run_requests
    assert f"{sensors.MINIMUM_FILES} are needed" in tick.skip_message
    assert [str(event.asset_key.path[0]) for event in tick.asset_events] == ["raw"]


def test_new_media_waits_for_quiet(fresh: Tree) -> None:
    _arrive(fresh, sensors.MINIMUM_FILES)
    tick = _tick_new_media(fresh)
    assert not tick.run_requests
    assert "waiting" in tick.skip_message


def test_new_media_asks_once_per_content(fresh: Tree, later: None) -> None:
    _arrive(fresh, sensors.MINIMUM_FILES)
    first = _tick_new_media(fresh)
    (request,) = first.run_requests
    again = _tick_new_media(fresh, cursor=first.cursor)
    assert not again.run_requests
    (same,) = _tick_new_media(fresh).run_requests
    assert same.run_key == request.run_key, "a lost cursor cannot start a second run"
    _arrive(fresh, sensors.MINIMUM_FILES, "more")
    (other,) = _tick_new_media(fresh, cursor=first.cursor).run_requests
    assert other.run_key != request.run_key


def test_new_media_knows_what_a_run_has_read(fresh: Tree, later: None) -> None:
    _arrive(fresh, sensors.MINIMUM_FILES)
    assert fresh.dagster("sources").success
    assert "0 new files" in _tick_new_media(fresh).skip_message
    _started_run(fresh)
    _arrive(fresh, sensors.MINIMUM_FILES, "more")
    assert "going on" in _tick_new_media(fresh).skip_message


def test_new_media_has_nothing_to_watch_in_a_recipe(fresh: Tree) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("sources: raw", "sources: profiles/tiny.yaml"))
    assert "not a folder" in _tick_new_media(fresh).skip_message


def test_outside_runs_stays_silent_while_a_run_is_going_on(done: Tree) -> None:
    _started_run(done)
    assert done.tick_outside_runs() == 0
