"""The one schedule: nightly retraining. Off until someone switches it on."""

import dagster as dg

from orchestration import runs
from orchestration.jobs import everything


@dg.schedule(
    job=everything,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night at two: bring everything up to date, unless a run is going on.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run of everything a night."""
    if runs.under_way(context.instance):
        return dg.SkipReason("Another run is going on or waiting.")
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")
