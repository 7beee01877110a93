"""The two sensors: one asks for a run when enough new media lies still, one keeps the books.

`new_media` is off until someone switches it on. `outside_runs` is on: a tick that finds nothing
new reads two small files and the times of the code, and without it Dagster's page would be wrong
after a plain `dvc repro`.
"""

from pathlib import Path

import dagster as dg

from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.store import digests, lease
from mm_model.store.layout import Layout
from mm_model.store.walk import why
from orchestration import by_code, listing, outside, runs
from orchestration.dvc_client import DvcStageClient, observation, recorded_version
from orchestration.dvc_lock import NEWEST_TAG
from orchestration.jobs import everything

MINIMUM_FILES = 10
"""Fewer new files than this do not start a run."""
QUIET_SECONDS = 300.0
"""Nothing may have arrived for this long, so that a copy in progress is not read."""

Stages = dg.ResourceParam[DvcStageClient]


def _newest_used(instance: dg.DagsterInstance) -> float:
    """Arrival time of the newest file the last run of `sources` may have read; 0 without one."""
    event = instance.get_latest_materialization_event(dg.AssetKey("sources"))
    made = event.asset_materialization if event else None
    tags = (made.tags or {}) if made else {}
    return float(tags.get(NEWEST_TAG, 0.0))


def _reason_to_wait(
    context: dg.SensorEvaluationContext, root: Path, found: listing.Listing
) -> str | None:
    asked_for = float(context.cursor or 0.0)
    new = found.since(max(asked_for, _newest_used(context.instance)))
    if new < MINIMUM_FILES:
        return f"{new} new files; {MINIMUM_FILES} are needed."
    still = runs.now() - found.newest
    if still < QUIET_SECONDS:
        return f"Files arrived {still:.0f} s ago; waiting for {QUIET_SECONDS:.0f}."
    if runs.under_way(context.instance):
        return "Another run is going on or waiting."
    holder, lives = lease.look(Layout(root, "").lease)
    return holder.sentence if holder is not None and lives is not False else None


@dg.sensor(
    job=everything,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts everything when enough new files lie in the source folder and none moves.",
)
def new_media(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Record what lies in the source folder; ask for one run per content of it."""
    try:
        folder = stages.root / load_params(stages.root).sources
        if not folder.is_dir():
            return dg.SkipReason(f"{folder} is not a folder: nothing can arrive there.")
    except UserError as error:
        return dg.SkipReason(str(error))
    except OSError as error:
        return dg.SkipReason(f"{folder} cannot be looked at: {why(error)}.")
    found = listing.of(folder)
    known = recorded_version(context.instance, "raw") == found.digest
    seen = [] if known else [observation("raw", found.digest)]
    if reason := _reason_to_wait(context, stages.root, found):
        return dg.SensorResult(skip_reason=reason, asset_events=seen)
    request = dg.RunRequest(run_key=found.digest)
    return dg.SensorResult(run_requests=[request], asset_events=seen, cursor=repr(found.newest))


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
