"""The two sensors: one asks for a run when enough new media lies still, one keeps the books.

`new_media` is off until someone switches it on. `outside_runs` is on: a tick that finds nothing
new reads two small files and the times of the code, and without it Dagster's page would be wrong
after a plain `dvc repro`.
"""

import json
from dataclasses import asdict, dataclass, replace

import dagster as dg

from mm_model.errors import UserError
from mm_model.settings import AutomationSettings, load_params
from mm_model.store import digests, lease
from mm_model.store.layout import Layout
from mm_model.store.walk import why
from orchestration import automation, by_code, jobs, listing, outside, runs
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_lock import FILES_TAG, NEWEST_TAG
from orchestration.observed_inputs import observation, recorded_version

Stages = dg.ResourceParam[DvcStageClient]


@dataclass(frozen=True)
class _Used:
    """What the last run of `sources` may have read: arrival of its newest file (0 where nobody
    knows), how many files, and a name of that run."""

    newest: float = 0.0
    files: int = 0
    run: str = "none"


@dataclass(frozen=True)
class _Seen:
    """What earlier ticks saw: arrival of the newest file that a run was asked for, the listing, and
    since when it is as it is."""

    asked: float = 0.0
    digest: str = ""
    since: float = 0.0


def _used(instance: dg.DagsterInstance) -> _Used:
    """As the last materialization says; nothing without one."""
    found = outside.latest_record(instance, "sources")
    if found is None or found.asset_materialization is None:
        return _Used()
    tags = found.asset_materialization.tags or {}
    newest, files = float(tags.get(NEWEST_TAG, 0.0)), int(tags.get(FILES_TAG, 0))
    return _Used(newest, files, str(found.storage_id))


def _seen(cursor: str | None, found: listing.Listing) -> _Seen:
    """As the cursor says, brought up to now."""
    try:
        said = json.loads(cursor or "{}")
        before = _Seen(**said) if isinstance(said, dict) else _Seen(float(said))
    except (ValueError, TypeError):
        before = _Seen()
    return (
        before if before.digest == found.digest else _Seen(before.asked, found.digest, runs.now())
    )


def _reason_to_wait(
    said: AutomationSettings, found: listing.Listing, used: _Used, seen: _Seen
) -> str | None:
    new = found.since(max(seen.asked, used.newest))
    still_there = len(found.arrivals) - (found.since(used.newest) if used.newest else 0)
    removed = max(0, used.files - still_there)  # what was written anew is gone as it was
    if new < said.minimum_files and removed < said.minimum_removed:
        return (
            f"{new} new files and {removed} removed or changed; {said.minimum_files} or "
            f"{said.minimum_removed} are needed."
        )
    # a file that goes leaves no time behind
    last = found.newest if new >= said.minimum_files else max(found.newest, seen.since)
    still = runs.now() - last
    if still < said.quiet_seconds:
        return f"Files came or went {still:.0f} s ago; waiting for {said.quiet_seconds:.0f}."
    return None


@dg.sensor(
    job_name=jobs.EVERYTHING,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts everything when enough files came into the source folder, or left it, and "
    "none moves.",
)
def new_media(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Record what lies in the source folder; ask for one run per content of it."""
    try:
        said = automation.settings(stages.root)
        folder = stages.root / load_params(stages.root).sources
        if not folder.is_dir():
            return dg.SkipReason(f"{folder} is not a folder: nothing can arrive there.")
    except UserError as error:
        return dg.SkipReason(str(error))
    except OSError as error:
        return dg.SkipReason(f"{folder} cannot be looked at: {why(error)}.")
    found, used = listing.of(folder), _used(context.instance)
    known = recorded_version(context.instance, "raw") == found.digest
    events = [] if known else [observation("raw", found.digest)]
    seen = _seen(context.cursor, found)
    reason = _reason_to_wait(said, found, used, seen) or _busy(context.instance, stages)
    if reason:
        cursor = json.dumps(asdict(seen))
        return dg.SensorResult(skip_reason=reason, asset_events=events, cursor=cursor)
    # the run before is part of the key: what lay there once may come back
    request = dg.RunRequest(run_key=f"{found.digest}:{used.run}", tags=automation.tags(said))
    cursor = json.dumps(asdict(replace(seen, asked=found.newest)))
    return dg.SensorResult(run_requests=[request], asset_events=events, cursor=cursor)


def _busy(instance: dg.DagsterInstance, stages: DvcStageClient) -> str | None:
    """Who is at work in the tree or about to be."""
    if runs.under_way(instance):
        return "Another run is going on or waiting."
    holder, lives = lease.look(Layout(stages.root, "").lease)
    return holder.sentence if holder is not None and lives is not False else None


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports what a plain dvc repro did and which stages other code made, and closes "
    "runs whose process is gone.",
)
def outside_runs(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Report the stages whose result in `dvc.lock`, or whose code, Dagster has not recorded."""
    busy = runs.under_way(context.instance)
    lock = stages.root / "dvc.lock"
    if not lock.is_file():
        return dg.SkipReason("There is no dvc.lock yet.")
    files = lock.read_bytes() + (stages.root / "params.yaml").read_bytes()
    cursor = digests.of_value([digests.of_bytes(files), by_code.mark(stages.package)])
    if cursor == context.cursor:
        return dg.SkipReason("Nothing ran, and no code changed, since the last look.")
    if busy:
        return dg.SkipReason("A run is going on; it reports for itself.")
    try:
        found = list(outside.events(context.instance, stages))
    except UserError as error:
        return dg.SkipReason(str(error))
    return dg.SensorResult(asset_events=found, cursor=cursor)
