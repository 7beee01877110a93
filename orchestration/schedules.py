"""The one schedule: nightly retraining. Off until someone switches it on."""

import dagster as dg
from dagster._utils.schedules import is_valid_cron_schedule

from mm_model.errors import UserError
from mm_model.settings import AutomationSettings
from orchestration import automation, jobs, runs

NIGHTLY = "nightly"


def nightly(said: AutomationSettings) -> dg.ScheduleDefinition:
    """The schedule at the times that the profile says.

    Raises:
        UserError: cron's words there name no time.
    """
    if not is_valid_cron_schedule(said.cron):
        raise UserError(
            f"automation.cron: '{said.cron}' names no time: give minute, hour, day of the "
            "month, month and day of the week, as in 0 2 * * *, in the profile."
        )

    @dg.schedule(
        name=NIGHTLY,
        job_name=jobs.EVERYTHING,
        cron_schedule=said.cron,
        execution_timezone=said.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="At the times of the profile (automation.cron): bring everything up to date, "
        "unless a run is going on.",
    )
    def asked(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if runs.under_way(context.instance):
            return dg.SkipReason("Another run is going on or waiting.")
        # minutes too: the times may be changed to a later one of the same night
        night = f"{context.scheduled_execution_time:%Y-%m-%d %H:%M}"
        return dg.RunRequest(run_key=night, tags=automation.tags(said))

    return asked
