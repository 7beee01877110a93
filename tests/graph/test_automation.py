"""The schedule, the sensors, and the settling of runs whose process is gone: tick by tick."""

import datetime
import re
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from mm_model.errors import UserError
from mm_model.store import lease
from mm_model.store.layout import Layout
from orchestration import everything, listing, outside, runs, sensors, subjects, watching
from tests.graph.conftest import Tree

NIGHT = datetime.datetime(2026, 3, 1, 2, tzinfo=datetime.UTC)
ENOUGH = 10
"""Files that start a run, as the profile says."""


def _made_run(
    tree: Tree, lease: str | None, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> str:
    """A run in Dagster's books as another process left it; `lease` is its tag."""
    run = tree.instance.create_run_for_job(
        tree.definitions().resolve_job_def("everything"), status=status
    )
    if lease is not None:
        tree.instance.add_run_tags(run.run_id, {runs.TAG: lease})
    return run.run_id


def _started_run(tree: Tree) -> str:
    """A run of this living process."""
    return _made_run(tree, runs.hold(tree.instance))


def _leases(tree: Tree) -> Path:
    return Path(tree.instance.root_directory) / "leases"


def _leave_lease(tree: Tree, name: str, boot: str | None = None) -> str:
    """What a killed process left; `boot` says it ran on another machine."""
    path = _leases(tree) / name
    left = lease.take(path, "A Dagster run")
    content = path.read_bytes()
    left.release()
    if boot is not None:
        content = content.replace(left.holder.boot.encode(), boot.encode())
    path.write_bytes(content)
    return name


def _tick_new_media(tree: Tree, cursor: str | None = None) -> dg.SensorResult:
    with dg.build_sensor_context(
        tree.instance,
        resources={"stages": tree.client},
        cursor=cursor,
        definitions=tree.definitions(),
    ) as context:
        return sensors.new_media.evaluate_tick(context)


def test_what_is_on_by_default(fresh: Tree) -> None:
    assert sensors.new_media.default_status is dg.DefaultSensorStatus.STOPPED
    assert sensors.outside_runs.default_status is dg.DefaultSensorStatus.RUNNING
    loaded = fresh.definitions()
    (nightly,) = loaded.schedules
    assert (nightly.name, nightly.cron_schedule) == ("nightly", "0 2 * * *")
    assert nightly.default_status is dg.DefaultScheduleStatus.STOPPED
    assert {sensor.name for sensor in loaded.sensors} == {
        *("new_media", "outside_runs", "listed_subjects", "new_photographs"),
        *("failed_runs", "alerts", "source_drops"),
    }
    assert subjects.listed_subjects.default_status is dg.DefaultSensorStatus.RUNNING
    assert subjects.new_photographs.default_status is dg.DefaultSensorStatus.STOPPED
    for told in (watching.failed_runs, watching.overdue):
        assert told.default_status is dg.DefaultSensorStatus.RUNNING


def test_nightly_asks_once_a_night_unless_a_run_is_going_on(fresh: Tree, tmp_path: Path) -> None:
    fresh.instance = dg.DagsterInstance.local_temp(str(tmp_path))

    def tick(when: datetime.datetime = NIGHT) -> dg.RunRequest | dg.SkipReason:
        nightly = fresh.definitions().resolve_schedule_def("nightly")
        with dg.build_schedule_context(fresh.instance, scheduled_execution_time=when) as context:
            return nightly(context)

    assert tick().run_key == "2026-03-01 02:00"
    assert tick(NIGHT + datetime.timedelta(hours=6)).run_key == "2026-03-01 08:00"
    assert tick().tags["dagster/max_retries"] == "2"
    going_on = _started_run(fresh)
    assert isinstance(tick(), dg.SkipReason)
    fresh.instance.report_run_canceled(fresh.instance.get_run_by_id(going_on))
    assert tick().run_key == "2026-03-01 02:00"


def test_a_profile_says_when_and_how_often(fresh: Tree, tmp_path: Path) -> None:
    fresh.instance = dg.DagsterInstance.local_temp(str(tmp_path))
    fresh.set("automation", "cron", "30 4 * * 1-5")
    fresh.set("automation", "timezone", "Europe/Paris")
    fresh.set("automation", "retries", 0)
    loaded = fresh.definitions()
    (nightly,) = loaded.schedules
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("30 4 * * 1-5", "Europe/Paris")
    with dg.build_schedule_context(fresh.instance, scheduled_execution_time=NIGHT) as context:
        assert nightly(context).tags["dagster/max_retries"] == "0"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cron", "@daily", "automation.cron: a cron text has five fields"),
        ("cron", "0 25 * * *", "automation.cron: '0 25 * * *' names no time"),
        ("cron", "0 2 * *", "automation.cron: a cron text has five fields"),
        ("timezone", "Mars/Olympus", "automation.timezone: there is no such time zone"),
        ("minimum_files", 0, "automation.minimum_files"),
        ("quiet_seconds", -1, "automation.quiet_seconds"),
    ],
)
def test_what_nobody_can_mean_is_told_in_a_sentence(
    fresh: Tree, name: str, value: object, said: str
) -> None:
    fresh.set("automation", name, value)
    with pytest.raises(UserError, match=re.escape(said)):
        fresh.definitions()


def test_a_run_whose_process_is_gone_holds_nothing_up(fresh: Tree) -> None:
    storage = fresh.instance.event_log_storage
    storage.set_concurrency_slots("gpu", 1)
    dead = _made_run(fresh, _leave_lease(fresh, "killed"))
    assert storage.claim_concurrency_slot("gpu", dead, "pretrain").is_claimed
    other = _started_run(fresh)
    assert not storage.claim_concurrency_slot("gpu", other, "pretrain").is_claimed

    assert runs.settle(fresh.instance) == 1
    assert fresh.instance.get_run_by_id(dead).status is dg.DagsterRunStatus.FAILURE
    assert fresh.instance.get_run_by_id(other).status is dg.DagsterRunStatus.STARTED
    assert storage.get_concurrency_info("gpu").active_run_ids in (set(), {other})
    assert runs.under_way(fresh.instance), "a living run is going on"


def test_a_renamed_host_keeps_no_dead_run_alive(fresh: Tree) -> None:
    """Books in files are one home's: who lives there is known by leases alone."""
    dead = _made_run(fresh, _leave_lease(fresh, "killed"))
    fresh.instance.add_run_tags(dead, {runs.HOME: f"before:{fresh.instance.root_directory}"})
    assert not runs.under_way(fresh.instance)
    assert fresh.instance.get_run_by_id(dead).status is dg.DagsterRunStatus.FAILURE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The steady clock by which runs are watched; its one number may be set."""
    ticks = [1000.0]
    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: ticks[0]))
    return ticks


def test_a_run_of_another_machine_is_dead_when_its_lease_stands_still(
    fresh: Tree, clock: list[float]
) -> None:
    dead = _made_run(fresh, _leave_lease(fresh, "elsewhere", boot="another-boot"))
    for _ in range(2):
        assert runs.under_way(fresh.instance), "it was not watched long enough"
        clock[0] += lease.PATIENCE / 2
    path = _leases(fresh) / "elsewhere"
    renewed = path.read_text().replace("1\n", "2\n", 1)
    path.write_text(renewed)
    clock[0] += lease.PATIENCE
    assert runs.under_way(fresh.instance), "it moved: it lives"
    clock[0] += lease.PATIENCE + 1
    assert not runs.under_way(fresh.instance)
    assert fresh.instance.get_run_by_id(dead).status is dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_run_that_no_lease_speaks_for_does_not_block_for_ever(
    fresh: Tree, clock: list[float], status: dg.DagsterRunStatus
) -> None:
    left = _made_run(fresh, None, status)
    assert runs.under_way(fresh.instance)
    clock[0] += runs.START_SECONDS - 1
    assert runs.under_way(fresh.instance), "it may still begin"
    clock[0] += 2
    assert not runs.under_way(fresh.instance)
    assert fresh.instance.get_run_by_id(left).status is dg.DagsterRunStatus.FAILURE


def test_who_has_the_tree_alone_closes_such_runs_at_once(fresh: Tree) -> None:
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        _made_run(fresh, None, status)
    assert runs.settle(fresh.instance, alone=True) == 2
    assert not runs.under_way(fresh.instance)


@pytest.mark.parametrize(
    ("place", "alone"),
    [("tree/work/dagster", True), ("shared", False), ("tree beside", False), (".", False)],
)
def test_who_runs_everything_has_only_the_books_in_its_tree_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, alone: bool
) -> None:
    """In shared books a run without a lease may only just have been made, by another tree."""
    asked: list[bool] = []
    monkeypatch.setattr(runs, "settle", lambda instance, alone=False: asked.append(alone))
    monkeypatch.setattr(runs, "in_the_way", lambda instance: [])
    storage = dg.DagsterInstance.ephemeral().run_storage
    books = SimpleNamespace(root_directory=str(tmp_path / place), run_storage=storage)
    everything._settle(books, tmp_path / "tree")
    assert asked == [alone]


def test_a_place_of_a_run_that_is_over_is_free(fresh: Tree, tmp_path: Path) -> None:
    fresh.instance = dg.DagsterInstance.local_temp(str(tmp_path))
    storage = fresh.instance.event_log_storage
    storage.set_concurrency_slots("gpu", 1)
    over = _made_run(fresh, None)
    assert storage.claim_concurrency_slot("gpu", over, "pretrain").is_claimed
    with sqlite3.connect(tmp_path / "history" / "runs.db") as books:  # closed, places forgotten
        books.execute("UPDATE runs SET status = 'FAILURE'")
    assert runs.in_the_way(fresh.instance) == [over]
    assert runs.settle(fresh.instance) == 0
    assert runs.in_the_way(fresh.instance) == []
    assert storage.claim_concurrency_slot("gpu", "another", "pretrain").is_claimed


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the quiet period pass."""
    now = runs.now
    monkeypatch.setattr(runs, "now", lambda: now() + 305)


def _arrive(tree: Tree, number: int, name: str = "clip") -> None:
    for index in range(number):
        (tree.root / "raw" / f"{name}-{index}").write_text(name)


def test_new_media_waits_for_enough_files(fresh: Tree, later: None) -> None:
    _arrive(fresh, ENOUGH - 2)  # one was there already
    tick = _tick_new_media(fresh)
    assert not tick.run_requests
    assert "9 new files and 0 removed or changed; 10 or 1 are needed" in tick.skip_message
    assert [str(event.asset_key.path[0]) for event in tick.asset_events] == ["raw"]
    fresh.set("automation", "minimum_files", 9)
    assert _tick_new_media(fresh).run_requests, "the profile says how many, from the next tick on"


def test_new_media_waits_for_quiet(fresh: Tree) -> None:
    _arrive(fresh, ENOUGH)
    tick = _tick_new_media(fresh)
    assert not tick.run_requests
    assert "waiting for 300" in tick.skip_message
    fresh.set("automation", "quiet_seconds", 0.001)
    assert _tick_new_media(fresh).run_requests


def test_new_media_asks_once_per_content(fresh: Tree, later: None) -> None:
    _arrive(fresh, ENOUGH)
    first = _tick_new_media(fresh)
    (request,) = first.run_requests
    assert request.tags["dagster/max_retries"] == "2"
    again = _tick_new_media(fresh, cursor=first.cursor)
    assert not again.run_requests
    (same,) = _tick_new_media(fresh).run_requests
    assert same.run_key == request.run_key, "a lost cursor cannot start a second run"
    earlier = _tick_new_media(fresh, cursor=repr(max(listing.of(fresh.root / "raw").arrivals)))
    assert not earlier.run_requests, "the cursor of an earlier version is understood"
    _arrive(fresh, ENOUGH, "more")
    (other,) = _tick_new_media(fresh, cursor=first.cursor).run_requests
    assert other.run_key != request.run_key


def test_new_media_asks_when_files_went_or_changed(
    fresh: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    _arrive(fresh, ENOUGH)
    assert fresh.dagster("sources").success
    clock = [time.time() + 1000]
    monkeypatch.setattr(runs, "now", lambda: clock[0])
    tick = _tick_new_media(fresh)
    assert "0 new files and 0 removed" in tick.skip_message
    keys = []
    for change in ("remove", "bring back", "remove again"):
        path, beside = fresh.root / "raw" / "clip-3", fresh.root / "clip-3"
        (path if change.startswith("remove") else beside).rename(
            beside if change.startswith("remove") else path
        )
        tick = _tick_new_media(fresh, tick.cursor)
        if change == "bring back":  # one new file is not enough, by itself
            fresh.set("automation", "minimum_files", 1)
        else:
            assert not tick.run_requests, "others may go this instant"
            fresh.set("automation", "minimum_files", 10)
        clock[0] += 301
        tick = _tick_new_media(fresh, tick.cursor)
        keys += [request.run_key for request in tick.run_requests]
        assert fresh.dagster("sources").success
        tick = _tick_new_media(fresh, tick.cursor)
        assert not tick.run_requests
    assert len(set(keys)) == 3, "a content that was there before is asked for again"
    (fresh.root / "raw" / "clip-4").write_text("another content")
    tick = _tick_new_media(fresh, tick.cursor)
    clock[0] += 301
    assert _tick_new_media(fresh, tick.cursor).run_requests, "what is written over is gone"


def test_what_went_right_after_a_run_is_missed_by_new_media(fresh: Tree) -> None:
    """Before `outside_runs` had looked: the run's own record stays the one that counts."""
    fresh.set("automation", "quiet_seconds", 0.000001)
    _arrive(fresh, ENOUGH)
    assert fresh.dagster("sources").success
    (fresh.root / "raw" / "clip-3").unlink()
    made = outside.latest_record(fresh.instance, "sources")
    fresh.tick_outside_runs()
    kept = outside.latest_record(fresh.instance, "sources")
    assert made is not None and kept is not None and kept.storage_id == made.storage_id
    assert "dependency" in fresh.stale()["sources"], "it is not what lies there now"
    (request,) = _tick_new_media(fresh).run_requests
    assert request.run_key


@pytest.mark.parametrize("gone", [1, 0])
def test_what_went_after_a_plain_dvc_repro_is_missed_too(fresh: Tree, gone: int) -> None:
    fresh.set("automation", "quiet_seconds", 0.000001)
    _arrive(fresh, ENOUGH)
    tick = _tick_new_media(fresh)
    fresh.dvc("repro", "--single-item", "settings", "sources")
    for number in range(gone):
        (fresh.root / "raw" / f"clip-{number}").unlink()
    fresh.tick_outside_runs()
    assert len(_tick_new_media(fresh, tick.cursor).run_requests) == gone


def test_new_media_knows_what_a_run_has_read(fresh: Tree, later: None) -> None:
    _arrive(fresh, ENOUGH)
    assert fresh.dagster("sources").success
    assert "0 new files" in _tick_new_media(fresh).skip_message
    _started_run(fresh)
    _arrive(fresh, ENOUGH, "more")
    assert "going on" in _tick_new_media(fresh).skip_message


def test_new_media_waits_for_whoever_is_at_work(fresh: Tree, later: None) -> None:
    _arrive(fresh, ENOUGH)
    with lease.held(Layout(fresh.root, "tiny").lease, "The stage faces"):
        tick = _tick_new_media(fresh)
    assert not tick.run_requests
    assert tick.skip_message.startswith("The stage faces is at work here")
    assert _tick_new_media(fresh).run_requests


def test_new_media_has_nothing_to_watch_in_a_recipe(fresh: Tree) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("sources: raw", "sources: profiles/tiny.yaml"))
    assert "not a folder" in _tick_new_media(fresh).skip_message


def test_outside_runs_stays_silent_while_a_run_is_going_on(done: Tree) -> None:
    _started_run(done)
    assert done.tick_outside_runs() == 0
