"""Dagster's daemon over a toy tree, with a clock of our own: schedules, sensors, queue and retries
are Dagster's, the definitions are the real ones in a code server, each run is a process.

Only the daemon's clock is ours. What a tick finds is carried out before the next one.
"""

import contextlib
import datetime
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from orchestration import home
from tests.graph.conftest import REPOSITORY, Tree

_LOG = logging.getLogger("nights")
_OVER = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_PATIENCE = 240.0
BEGIN = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@dataclass
class Daemon:
    """`dagster dev` without its page: a code server, and the daemon's loops as they are called."""

    tree: Tree
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        """Start the code server and open the books."""
        home.prepare(self.tree.root)
        self.instance = self._stack.enter_context(dg.DagsterInstance.get())
        target = WorkspaceFileTarget(paths=[str(REPOSITORY / "workspace.yaml")])
        self.workspace = self._stack.enter_context(
            create_test_daemon_workspace_context(target, self.instance)
        )

    def stop(self) -> None:
        """End in good order."""
        self._stack.close()

    def power_cut(self) -> None:
        """Kill everything at once, as when the power fails."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(Exception):
            self._stack.close()

    def switch_on(self, *names: str) -> None:
        """Switch schedules and sensors on, as on Dagster's page."""
        repository = self._repository()
        for name in names:
            if repository.has_schedule(name):
                self.instance.start_schedule(repository.get_schedule(name))
            else:
                self.instance.start_sensor(repository.get_sensor(name))

    def _repository(self) -> Any:
        (entry,) = self.workspace.create_request_context().get_code_location_entries().values()
        assert entry.code_location is not None, entry.load_error
        (repository,) = entry.code_location.get_repositories().values()
        return repository

    def tick(self, when: datetime.datetime, during: Callable[[], None] | None = None) -> None:
        """One round of all loops at a time of day, until nothing is left to be carried out.

        `during` is called while runs go on.
        """
        with freeze_time(when):
            list(launch_scheduled_runs(self.workspace, _LOG, when, iteration_times={}))
            list(execute_sensor_iteration(self.workspace, _LOG, None, None))
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            list(QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(self.workspace))
            list(EventLogConsumerDaemon().run_iteration(self.workspace))
            if not self._busy():
                return
            if during is not None:
                during()
            time.sleep(0.2)
        raise AssertionError(f"a run does not end: {self.runs()[-1]}")

    def _busy(self) -> bool:
        return any(run.status not in _OVER for run in self.runs())

    def runs(self) -> list[dg.DagsterRun]:
        """Every run, the oldest first."""
        return list(reversed(self.instance.get_runs()))

    def worker(self) -> psutil.Process | None:
        """The process of the run that goes on."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "toy_stage.py" in process.cmdline():
                    parents = process.parents()
                    (run,) = [
                        one for one in parents if "multiprocessing" in " ".join(one.cmdline())
                    ][:1] or [None]
                    return run
        return None


@dataclass(frozen=True)
class Night:
    """What one night left: runs by what asked for them and how they ended, stages that worked,
    champion and challenger, and what somebody was told."""

    number: int
    story: str
    runs: tuple[str, ...]
    worked: tuple[str, ...]
    champion: int | None
    challenger: int | None
    told: tuple[str, ...]
