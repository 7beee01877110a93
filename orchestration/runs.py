"""Which Dagster runs are really going on, and the end of those whose process is gone.

A run killed outright stays "started" in Dagster's books and keeps its place in the GPU pool. Each
process that executes runs therefore holds a lease in Dagster's home, and its runs carry the name of
that lease: `mm_model.store.lease` says how it is judged. A run without one, such as a run that was
made and never begun, is judged by watching: it must change within three minutes. Valid for the
in-process executor, where one process holds a run from start to end.
"""

import atexit
import socket
import time
import uuid
from pathlib import Path

import dagster as dg

from mm_model.store import lease

TAG = "magic_mirror/lease"
HOME = "magic_mirror/home"
"""On a run: machine and home of Dagster that it goes on in; books may be shared by several."""
BESIDE = {"magic_mirror/beside": "releases"}
"""Tags of a run that touches no stage: it may go on beside one of the tree."""
START_SECONDS = 180.0
"""A run without a lease that shows no change for so long is not going to."""

_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_own: dict[Path, lease.Lease] = {}
_watched: dict[str, tuple[object, float]] = {}


def _folder(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory) / "leases"


def hold(instance: dg.DagsterInstance) -> str:
    """Name of the lease this process holds in the instance's home, to its end."""
    folder = _folder(instance)
    if folder not in _own:
        path = folder / uuid.uuid4().hex
        _own[folder] = lease.take(path, "A Dagster run")
        atexit.register(_drop, folder)
    return _own[folder].path.name


def tags(instance: dg.DagsterInstance) -> dict[str, str]:
    """The tags of a run that this process holds."""
    return {TAG: hold(instance), HOME: _home(instance)}


def _home(instance: dg.DagsterInstance) -> str:
    return f"{socket.gethostname()}:{instance.root_directory}"


def are_own(instance: dg.DagsterInstance) -> bool:
    """Whether the books lie in files of this home, so that nobody elsewhere writes in them."""
    return type(instance.run_storage).__name__ in ("SqliteRunStorage", "InMemoryRunStorage")


def let_go(instance: dg.DagsterInstance) -> None:
    """Give up this process's lease: its runs are over."""
    _drop(_folder(instance))


def _drop(folder: Path) -> None:
    if (held := _own.pop(folder, None)) is not None:
        held.release()
        held.path.unlink(missing_ok=True)


def claim(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record this process as the one that holds the run."""
    instance.add_run_tags(run_id, tags(instance))


def _unchanged(run_id: str, mark: object, seconds: float) -> bool:
    """Whether the run has shown the same mark for so long, by our own watching."""
    known, since = _watched.get(run_id, (None, 0.0))
    if known != mark:
        _watched[run_id] = (mark, time.monotonic())
        return False
    return time.monotonic() - since >= seconds


def _has_lease(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the run names a lease of its own: one that begins again has the tags of the one
    before it, until its process claims it."""
    if TAG not in run.tags or run.parent_run_id is None:
        return TAG in run.tags
    before = instance.get_run_by_id(run.parent_run_id)
    return before is None or before.tags.get(TAG) != run.tags[TAG]


def _is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun, alone: bool) -> bool:
    if run.tags.get(HOME, _home(instance)) != _home(instance) and not are_own(instance):
        return False  # its lease lies elsewhere: who has it judges
    if not _has_lease(instance, run):
        return alone or _unchanged(run.run_id, run.status, START_SECONDS)
    path = _folder(instance) / run.tags[TAG]
    if path.parent in _own and _own[path.parent].path == path:
        return False
    _, lives = lease.look(path)
    if lives is None:
        if alone:
            return not lease.moves(path, lease.PATIENCE)
        return _unchanged(run.run_id, lease.counter(path), lease.PATIENCE)
    return not lives


def told_apart(
    instance: dg.DagsterInstance,
) -> tuple[list[dg.DagsterRun], list[dg.DagsterRun]]:
    """Runs that are said to go on: those whose process is gone, and the others. Changes nothing."""
    started = _started(instance)
    dead = [run for run in started if _is_dead(instance, run, alone=False)]
    return dead, [run for run in started if run not in dead]


def settle(instance: dg.DagsterInstance, alone: bool = False) -> int:
    """Close the runs whose process is gone and free their places; return how many there were.

    `alone` says that the caller holds the tree these books belong to, so that no run without a
    lease can be going on, and that it may wait for a verdict. A caller that may not wait gets it
    by calling again.
    """
    dead = [run for run in _started(instance) if _is_dead(instance, run, alone)]
    for run in dead:
        instance.report_run_failed(run, "Its process ended without a word; run it again.")
        _watched.pop(run.run_id, None)
        if TAG in run.tags:
            (_folder(instance) / run.tags[TAG]).unlink(missing_ok=True)
    _free_places(instance)
    return len(dead)


def _free_places(instance: dg.DagsterInstance) -> None:
    """Free the places in pools of runs that are over, whoever closed them."""
    for run_id in _in_pools(instance):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _in_pools(instance: dg.DagsterInstance) -> set[str]:
    """Runs that have a place in a pool, or wait for one."""
    storage = instance.event_log_storage
    found: set[str] = set()
    for pool in storage.get_concurrency_keys():
        info = storage.get_concurrency_info(pool)
        found |= {*info.active_run_ids, *info.pending_run_ids}
    return found


def in_the_way(instance: dg.DagsterInstance) -> list[str]:
    """Living runs with a place in a pool: runs of other trees that share Dagster's home."""
    return sorted(_in_pools(instance))


def is_beside(run: dg.DagsterRun) -> bool:
    """Whether the run touches no stage."""
    return BESIDE.items() <= run.tags.items()


def under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run of the graph is queued or going on, after the dead ones were settled."""
    settle(instance)
    waiting = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    return any(not is_beside(run) for run in (*_started(instance), *waiting))


def _started(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)))


def now() -> float:
    """The time of day, in seconds; the sensors' only clock."""
    return time.time()
