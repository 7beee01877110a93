"""Which Dagster runs are really going on, and the end of those whose process is gone.

A run killed outright stays "started" in Dagster's books and keeps its place in the GPU pool.
Each run therefore carries its process as a tag. Valid for the in-process executor, where one
process holds a run from start to end; runs of other machines are never judged.
"""

import os
import socket
import time

import dagster as dg
import psutil

TAG = "magic_mirror/process"
_UNDER_WAY = [
    dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


def _name(process: psutil.Process) -> str:
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def claim(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record this process as the one that holds the run."""
    instance.add_run_tags(run_id, {TAG: _name(psutil.Process(os.getpid()))})


def _is_dead(run: dg.DagsterRun) -> bool:
    host, _, rest = run.tags.get(TAG, "").partition(":")
    if not rest or host != socket.gethostname():
        return False
    try:
        return _name(psutil.Process(int(rest.split(":")[0]))) != run.tags[TAG]
    except psutil.NoSuchProcess:
        return True


def settle(instance: dg.DagsterInstance) -> int:
    """Close the runs whose process is gone and free their places; return how many there were."""
    dead = [run for run in _started(instance) if _is_dead(run)]
    for run in dead:
        instance.report_run_failed(run, "Its process ended without a word; run it again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


def under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run is queued or going on, after the dead ones were settled."""
    settle(instance)
    waiting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED])
    return bool(_started(instance) or instance.get_runs(waiting, limit=1))


def _started(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)))


def now() -> float:
    """The time of day, in seconds; the sensors' only clock."""
    return time.time()
