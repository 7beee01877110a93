"""The two sensors that tell somebody: of each run that failed, and of a model that grows old.

Both are on. Without an address in the environment they write a line to `work/alerts.log` only.
"""

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from mm_model.errors import UserError
from orchestration import alerts, automation, outside, runs
from orchestration.alerts import Alert
from orchestration.dvc_client import DvcStageClient

Stages = dg.ResourceParam[DvcStageClient]
RELEASE = "register"
"""The asset whose age is watched."""
_HOUR = 3600.0


def _what_failed(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """The stage and the sentence of it; of a run that no stage ended, Dagster's own words."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        said = data.user_failure_data.description if data.user_failure_data else None
        words = said or (data.error.message if data.error else "") or event.message or ""
        return (event.step_key or ""), " ".join(words.split())
    return "", " ".join((context.failure_event.message or "It failed without a reason.").split())


@dg.run_failure_sensor(
    name="failed_runs",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of each run that failed and does not begin again by itself: in "
    "work/alerts.log, and by the webhook and the e-mail that the environment names.",
)
def failed_runs(context: dg.RunFailureSensorContext, stages: Stages) -> dg.SkipReason | None:
    """One alert a failed run, with what and where."""
    run = context.instance.get_run_by_id(context.dagster_run.run_id) or context.dagster_run
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return dg.SkipReason(f"Run {run.run_id[:8]} failed, and begins again by itself.")
    stage, sentence = _what_failed(context)
    alert = Alert(run.run_id, sentence, job=run.job_name, stage=stage, run_id=run.run_id)
    problems = alerts.tell(stages.root, alert)
    return dg.SkipReason(" ".join(problems)) if problems else None


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of a model that was not renewed for automation.fresh_hours, and sends again "
    "what could not be sent.",
)
def overdue(context: dg.SensorEvaluationContext, stages: Stages) -> dg.SkipReason:
    """One alert for each model that is too old, however long it stays so."""
    try:
        hours = automation.settings(stages.root).fresh_hours
    except UserError as error:
        return dg.SkipReason(str(error))
    made = outside.latest_record(context.instance, RELEASE) if hours else None
    if hours and made is not None and runs.now() - made.timestamp > hours * _HOUR:
        sentence = (
            f"The model was last brought up to date more than {hours:g} hours ago "
            "(automation.fresh_hours): see on Dagster's page why no run has succeeded since."
        )
        problems = alerts.tell(stages.root, Alert(f"overdue-{made.storage_id}", sentence))
    else:
        problems = alerts.send_waiting(stages.root) if alerts.waiting(stages.root) else []
    return dg.SkipReason(" ".join(problems) or "Nothing is left to be told.")
