"""`make run`: everything through Dagster, in this process, with the stages' own lines on screen.

Exit status 0 when all is up to date, 1 with one sentence when a stage stopped, 130 when
interrupted. Prints no traceback for what a user can mend.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

from mm_model.environment import silence_telemetry
from mm_model.errors import UserError
from mm_model.settings import load_params, load_profile
from mm_model.store.layout import Layout
from orchestration import home, resources

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _summary(client: "resources.DvcStageClient", layout: Layout, seconds: float) -> str:
    rows = [f"  {one.stage:<9} {one.how:<9} {one.seconds:7.1f} s  {one.account}"
            for one in client.finished if one.status == 0]  # fmt: skip
    rows.append(f"Done in {seconds:.0f} s. Outputs lie in {layout.relative(layout.data)}/.")
    if layout.page.is_file():
        rows.append(f"Report: {layout.relative(layout.page)}")
    return "\n".join(rows)


def _execute(client: "resources.DvcStageClient") -> str | None:
    """Run the job; return the sentence of the stage that stopped it, if one did."""
    import dagster as dg

    from orchestration import definitions, jobs, runs

    with dg.DagsterInstance.get() as instance:
        runs.settle(instance)
        job = definitions.build(client).resolve_job_def(jobs.EVERYTHING)
        result = job.execute_in_process(
            instance=instance, run_config=_QUIET, raise_on_error=False
        )
    if result.success:
        return None
    failed = [one for one in client.finished if one.status]
    if failed:
        return failed[0].sentence
    errors = [event.event_specific_data.error for event in result.filter_events(
        lambda event: event.is_step_failure)]  # fmt: skip
    return errors[0].to_string() if errors else "Dagster ended the run without a reason."


def main() -> int:
    """Run everything; return the exit status."""
    silence_telemetry()
    root = resources.root()
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
    print(_summary(client, Layout(root, params.profile), time.monotonic() - started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
