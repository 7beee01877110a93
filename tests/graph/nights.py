"""Dagster's daemon over a toy tree, with a clock of our own: schedules, sensors, queue and retries
are Dagster's, the definitions are the real ones in a code server, each run is a process.

Only the daemon's clock is ours. What a tick finds is carried out before the next one.
"""

import contextlib
import datetime
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import psutil
from dagster._core.execution.backfill import (
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from mm_model.errors import UserError
from mm_model.register import pins, served
from mm_model.store.layout import Layout
from mm_model.tracking import store
from orchestration import alerts, home
from tests.graph.conftest import REPOSITORY, Tree
from tests.serving.house import metrics

MODEL = "magic-mirror"
_LOG = logging.getLogger("nights")
_OVER = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_REQUESTED = BulkActionStatus.REQUESTED
_PATIENCE = 900.0
_BETWEEN = datetime.timedelta(seconds=61)
_ASKED = ("dagster/schedule_name", "dagster/sensor_name")


class Daemon:
    """`dagster dev` without its page: a code server, and the daemon's loops as they are called."""

    def __init__(self, tree: Tree, now: datetime.datetime) -> None:
        self.tree, self.now = tree, now
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Start the code server and open the books."""
        home.prepare(self.tree.root)
        self._stack = contextlib.ExitStack()
        self.instance = self._stack.enter_context(dg.DagsterInstance.get())
        target = WorkspaceFileTarget(paths=[str(REPOSITORY / "workspace.yaml")])
        self._workspace = self._stack.enter_context(
            create_test_daemon_workspace_context(target, self.instance)
        )

    def stop(self) -> None:
        """End in good order."""
        self._stack.close()

    def power_cut(self) -> None:
        """Kill everything at once."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(Exception):
            self._stack.close()

    def switch_on(self, *names: str) -> None:
        """Switch schedules and sensors on, as on Dagster's page."""
        (entry,) = self._workspace.create_request_context().get_code_location_entries().values()
        assert entry.code_location is not None, entry.load_error
        (repository,) = entry.code_location.get_repositories().values()
        with freeze_time(self.now):
            for name in names:
                if repository.has_schedule(name):
                    self.instance.start_schedule(repository.get_schedule(name))
                else:
                    self.instance.start_sensor(repository.get_sensor(name))

    def tick(self, when: datetime.datetime, during: Callable[[], bool] | None = None) -> None:
        """All loops, round by round from a time of day on, until nothing is left to be done.

        `during` is called while runs go on, and ends the rounds by True.
        """
        self.now, end = when, time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            quiet = not self._busy()
            self._round()
            if quiet and not self._busy():
                return  # also what the last run's end was told of
            pause = time.monotonic() + 2
            while time.monotonic() < pause and self._busy():
                if during is not None and during():
                    return
                time.sleep(0.1)
        raise AssertionError(f"a run does not end: {self.runs()[-1]}")

    def _round(self) -> None:
        with freeze_time(self.now):
            list(launch_scheduled_runs(self._workspace, _LOG, self.now, iteration_times={}))
            list(execute_sensor_iteration(self._workspace, _LOG, None, None))
        list(execute_backfill_iteration(self._workspace, _LOG))
        list(execute_run_monitoring_iteration(self._workspace, _LOG))
        list(EventLogConsumerDaemon().run_iteration(self._workspace))
        list(QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(self._workspace))
        self.now += _BETWEEN

    def _busy(self) -> bool:
        waits = self.instance.get_backfills(filters=BulkActionsFilter(statuses=[_REQUESTED]))
        return bool(waits) or any(run.status not in _OVER for run in self.runs())

    def backfill(self, asset: str, *partitions: str) -> str:
        """Ask for partitions of an asset, as its page does; return the backfill's name."""
        asked = PartitionBackfill.from_asset_partitions(
            backfill_id="asked",
            asset_graph=self._workspace.create_request_context().asset_graph,
            backfill_timestamp=self.now.timestamp(),
            tags={},
            dynamic_partitions_store=self.instance,
            partition_names=list(partitions),
            asset_selection=[dg.AssetKey(asset)],
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
        self.instance.add_backfill(asked)
        return asked.backfill_id

    def runs(self) -> list[dg.DagsterRun]:
        """Every run, the oldest first."""
        return list(reversed(self.instance.get_runs()))

    def kill_run(self) -> None:
        """Kill the process that executes a run, and nothing else."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                run = process.parent()  # who executes a run starts DVC itself
                if "dvc" in process.cmdline()[:4] and run is not None:
                    run.kill()
                    return


class Watch:
    """Somebody who asks all the time whether the champion can be served, by the registry alone.

    `served` counts the answers, `failed` holds what was said instead of one after the first.
    """

    def __init__(self, layout: Layout) -> None:
        self.served, self._layout = 0, layout
        self.failed: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(2):
            try:
                served.checked_folder(self._layout, MODEL)
                self.served += 1
            except UserError as error:
                if self.served:
                    self.failed.append(str(error))

    def end(self) -> None:
        """Stop asking."""
        self._over.set()
        self._thread.join()


@dataclass(frozen=True)
class Night:
    """What a night left: its runs by who asked for them and how they ended, the stages that worked,
    champion and challenger, what the champion was trained on, and what somebody was told."""

    number: int
    story: str
    runs: tuple[str, ...]
    worked: tuple[str, ...]
    champion: int | None
    challenger: int | None
    files: int
    told: tuple[str, ...]


@dataclass
class World:
    """A tree, its daemon and what is seen of both from one morning to the next."""

    tree: Tree
    daemon: Daemon
    nights: list[Night] = field(default_factory=list)
    _runs: int = 0
    _told: int = 0

    @property
    def layout(self) -> Layout:
        """Of the tree."""
        return Layout(self.tree.root, "tiny")

    def arrive(self, name: str, count: int = 10) -> None:
        """Files of somebody come into the source folder."""
        for index in range(count):
            (self.tree.root / "raw" / f"{name}-{index}").write_text(name)

    def leave(self, name: str) -> None:
        """Somebody's files go."""
        for path in (self.tree.root / "raw").glob(f"{name}-*"):
            path.unlink()

    def measure(self, identity: float) -> None:
        """What the next evaluation is to find."""
        said = metrics([identity, identity + 0.1, identity + 0.2, identity + 0.1])
        (self.tree.root / "figures.json").write_text(json.dumps(said))

    def behave(self, **stages: str) -> None:
        """As the tree's, with the real stage `register`."""
        self.tree.behave(**{"register": "real", **stages})

    def alias(self, name: str) -> int | None:
        """The version an alias points to."""
        if not self.layout.database.exists():
            return None
        found = pins.alias_version(store.open_client(self.layout), MODEL, name)
        return None if found is None else int(found.version)

    def trained_on(self) -> list[str]:
        """Names of the files that the champion was trained on, as its release says."""
        folder = served.checked_folder(self.layout, MODEL)
        (path,) = folder.rglob("adapter/magic_mirror_config.json")
        return list(json.loads(path.read_text())["files"])

    def morning(self, story: str) -> Night:
        """Write down what happened since the last morning."""
        runs = self.daemon.runs()[self._runs :]
        self._runs += len(runs)
        path = alerts.log(self.tree.root)
        told = path.read_text().splitlines() if path.is_file() else []
        night = Night(
            len(self.nights) + 1,
            story,
            tuple(_ended(run) for run in runs),
            tuple(self.tree.executed()),
            self.alias("champion"),
            self.alias("challenger"),
            len(self.trained_on()),
            tuple(line.split("  ")[1] for line in told[self._told :]),
        )
        self._told = len(told)
        self.nights.append(night)
        return night


def _ended(run: dg.DagsterRun) -> str:
    asked = next((run.tags[tag] for tag in _ASKED if tag in run.tags), "somebody")
    again = " again" if "dagster/parent_run_id" in run.tags else ""
    return f"{asked}{again}: {run.status.value.lower()}"


def at(day: int, clock: str) -> datetime.datetime:
    """A time of day in March 2026."""
    hour, minute = map(int, clock.split(":"))
    return datetime.datetime(2026, 3, day, hour, minute, 5, tzinfo=datetime.UTC)


@contextlib.contextmanager
def world(tree: Tree) -> Iterator[World]:
    """A tree at noon of the first day, with schedule and sensor switched on."""
    tree.set("automation", "quiet_seconds", 0.001)
    tree.set("automation", "retry_seconds", 0.1)
    (tree.root / "weights" / "backbone" / "model_index.json").write_text("{}")
    daemon = Daemon(tree, at(1, "12:00"))
    daemon.start()
    try:
        daemon.switch_on("nightly", "new_media")
        made: Any = World(tree, daemon)
        made.behave()
        yield made
    finally:
        daemon.power_cut()
