"""`make run`: everything through Dagster, in this process, with the stages' own lines on screen.

Exit status 0 when all is up to date, 1 with one sentence when a stage stopped, 130 when
interrupted. Prints no traceback for what a user can mend.
"""

import signal
import sys
import time
from types import FrameType

import dagster as dg

from mm_model.environment import silence_telemetry
from mm_model.errors import UserError
from mm_model.settings import load_params, load_profile
from mm_model.store import atomic
from mm_model.store.layout import Layout
from orchestration import home, jobs, resources, runs
from orchestration.dvc_client import DvcStageClient

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _summary(client: DvcStageClient, layout: Layout, seconds: float) -> str:
    rows = [f"  {one.stage:<9} {one.how:<9} {one.seconds:7.1f} s  {one.account}"
            for one in client.finished if one.status == 0]  # fmt: skip
    rows.append(f"Done in {seconds:.0f} s. Outputs lie in {layout.relative(layout.data)}/.")
    if layout.page.is_file():
        rows.append(f"Report: {layout.relative(layout.page)}")
    return "\n".join(rows)


def _execute(client: DvcStageClient) -> str | None:
    """Run the job; return the sentence of the stage that stopped it, if one did."""
    from orchestration import definitions  # loads the profile, whose faults are the user's

    with dg.DagsterInstance.get() as instance:
        runs.settle(instance)
        client.look()
        job = definitions.build(client).resolve_job_def(jobs.EVERYTHING)
        result = job.execute_in_process(instance=instance, run_config=_QUIET, raise_on_error=False)
    if result.success:
        return None
    stopped = [one for one in client.finished if one.status]
    return stopped[0].sentence if stopped else _defect(result)


def _defect(result: dg.ExecuteInProcessResult) -> str:
    """What ended a run in which no stage stopped; an interrupt is raised again."""
    failures = result.filter_events(lambda event: event.is_step_failure)
    errors = [event.step_failure_data.error for event in failures]
    if any(error.cls_name == "DagsterExecutionInterruptedError" for error in errors):
        raise KeyboardInterrupt
    return errors[0].message.strip() if errors else "Dagster ended the run without a reason."


def main() -> int:
    """Run everything; return the exit status."""
    silence_telemetry()
    root = home.root()
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        params = load_params(root)
        profile = load_profile(root, params.profile)
        print(f"Profile {params.profile}: {profile.title}", flush=True)
        home.prepare(root)
        client = resources.stages(root, echo=lambda line: print(line, flush=True))
        sentence = _execute(client)
    except UserError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        print("Interrupted; finished work is kept and the next run resumes.", file=sys.stderr)
        return 130
    if sentence:
        print(f"Stopped: {sentence}", file=sys.stderr)
        return 1
    layout, seconds = Layout(root, params.profile), time.monotonic() - started
    atomic.write_json(
        layout.root / "work" / layout.profile / "last_run.json",
        {"seconds": round(seconds, 1), "stages": {one.stage: one.how for one in client.finished}},
    )
    print(_summary(client, layout, seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
