"""What the profile says of runs that nobody waits for, and which runs those are."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    MAX_RETRIES_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
)

from mm_model.settings import AutomationSettings, load_params, load_profile


def settings(root: Path) -> AutomationSettings:
    """The section `automation` of the profile that the tree at `root` uses, as it stands now.

    Raises:
        UserError: `params.yaml` or the profile is not valid.
    """
    return load_profile(root, load_params(root).profile).automation


def is_unattended(run: dg.DagsterRun) -> bool:
    """Whether no person waits for this run: a schedule, a sensor or a backfill asked for it."""
    return any(tag in run.tags for tag in (SCHEDULE_NAME_TAG, SENSOR_NAME_TAG, BACKFILL_ID_TAG))


def tags(said: AutomationSettings) -> dict[str, str]:
    """Tags for a run that nobody waits for: how often it begins again when its process is lost."""
    return {MAX_RETRIES_TAG: str(said.retries)}


def keep(root: Path, run: dg.DagsterRun, instance: dg.DagsterInstance) -> None:
    """Let a run of a backfill begin again when its process is lost: who asked for it is gone, and
    neither its job nor the page gives it those tags.

    Raises:
        UserError: the settings there are not valid.
    """
    if BACKFILL_ID_TAG in run.tags and MAX_RETRIES_TAG not in run.tags:
        instance.add_run_tags(run.run_id, tags(settings(root)))


def stopped(
    context: dg.AssetExecutionContext, failure: dg.Failure, root: Path
) -> dg.Failure | dg.RetryRequested:
    """What a stage that failed is to raise.

    A backfill that was asked for on an asset's page runs in Dagster's own job, which says nothing
    of retries: there the stage asks itself.

    Raises:
        UserError: the settings there are not valid.
    """
    of_page = context.run.job_name.startswith(IMPLICIT_ASSET_JOB_NAME)
    if not (failure.allow_retries and of_page and BACKFILL_ID_TAG in context.run.tags):
        return failure
    said = settings(root)
    if context.retry_number >= said.retries:
        return failure
    return dg.RetryRequested(max_retries=said.retries, seconds_to_wait=said.retry_seconds)


def again(said: AutomationSettings) -> dg.RetryPolicy | None:
    """How a step of such a run is tried again, where its failure allows it."""
    if not said.retries:
        return None
    return dg.RetryPolicy(max_retries=said.retries, delay=said.retry_seconds)


def freshness(said: AutomationSettings) -> dg.FreshnessPolicy | None:
    """How old the registered model may be on Dagster's page; None where nobody minds."""
    if said.fresh_hours is None:
        return None
    return dg.FreshnessPolicy.time_window(timedelta(hours=said.fresh_hours))
