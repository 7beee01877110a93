"""One run of everything through Dagster in this process, and the words about it."""

import logging
import time
from pathlib import Path

import dagster as dg

from mm_model.errors import BusyError, UserError
from mm_model.run import made_by, views
from mm_model.settings import load_params, load_profile
from mm_model.settings.bases import overridden_fields
from mm_model.store import atomic
from mm_model.store.layout import Layout
from orchestration import bring_over, by_code, jobs, resources, runs, subjects
from orchestration.dvc_client import DvcStageClient

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run(root: Path, started: float) -> str:
    """Bring everything in the tree at `root` up to date; return the summary.

    The caller holds the tree. `started` is its `time.monotonic()`.

    Raises:
        UserError: the settings or `MM_STRICT` are not valid, or a stage stopped: its sentence.
        BusyError: a run of another tree with the same Dagster home has the place in a pool.
        KeyboardInterrupt: interrupted, by the user or through Dagster.
    """
    made_by.strict()  # a word that means nothing is refused before anything runs
    params = load_params(root)
    profile = load_profile(root, params.profile)
    print(f"Profile {params.profile}: {profile.title}", flush=True)
    if changed := overridden_fields(root):
        print(f"profiles/overrides.yaml changes {', '.join(changed)}.", flush=True)
    # An interrupt that arrives while a connection is closed would be logged with its traceback.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    layout = Layout(root, params.profile)
    print(f"Report, growing while this runs: {layout.relative(layout.page)}", flush=True)
    for line in bring_over.outputs(root):
        print(line, flush=True)
    client = resources.stages(root, echo=lambda line: print(line, flush=True))
    with dg.DagsterInstance.get() as instance:
        try:
            _settle(instance, root)
            sentences = _execute(client, instance)
        finally:
            runs.let_go(instance)
    seconds = time.monotonic() - started
    if sentences:
        if any(one.status == 0 for one in client.finished):
            print("\n".join(_lines(client)), flush=True)
        raise UserError(" ".join(sentences))
    record = layout.root / "work" / layout.profile / "last_run.json"
    said = {"seconds": round(seconds, 1), "stages": {one.stage: one.how for one in client.finished}}
    views.attempt("record of this run", lambda: atomic.write_json(record, said))
    return _summary(client, layout, seconds)


def _execute(client: DvcStageClient, instance: dg.DagsterInstance) -> list[str]:
    """Run the job, then that of each listed subject, of which one that stops keeps no other from
    its turn; return what stopped them, in their sentences."""
    from orchestration import definitions  # loads the profile, whose faults are the user's

    client.look()
    whole = definitions.build(client)
    sentence = _done(client, instance, whole.resolve_job_def(jobs.EVERYTHING))
    if sentence is not None:
        return [sentence]
    job = whole.resolve_job_def(jobs.SUBJECTS)
    names = subjects.listed(client.root, instance)
    found = [_done(client, instance, job, partition_key=name) for name in names]
    return [sentence for sentence in found if sentence is not None]


def _done(
    client: DvcStageClient,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    partition_key: str | None = None,
) -> str | None:
    """Run a job; return the sentence of the stage that stopped it, if one did."""
    before = len(client.finished)
    result = job.execute_in_process(
        instance=instance,
        run_config=_QUIET,
        raise_on_error=False,
        tags=runs.tags(instance),
        partition_key=partition_key,
    )
    if result.success:
        return None
    stopped = [one for one in client.finished[before:] if one.status]
    return stopped[0].sentence if stopped else _defect(result)


def _settle(instance: dg.DagsterInstance, root: Path) -> None:
    """Close dead runs. A place in a pool that is still taken is not waited for without a word."""
    alone = runs.are_own(instance) and Path(instance.root_directory).is_relative_to(root)
    if closed := runs.settle(instance, alone):
        print(f"Closed {closed} run{'s' * (closed > 1)} whose process is gone.", flush=True)
    if others := runs.in_the_way(instance):
        raise BusyError(
            f"Run {others[0][:8]} of another tree with the same books of Dagster has the place in "
            "the pool: wait for its end, or stop it there."
        )


def _summary(client: DvcStageClient, layout: Layout, seconds: float) -> str:
    rows = _lines(client)
    rows.append(f"Done in {seconds:.0f} s. Outputs lie in {layout.relative(layout.data)}/.")
    if layout.page.is_file():
        rows.append(f"Report: {layout.relative(layout.page)}")
    rows += by_code.warning((one.stage, one.code) for one in client.finished)
    return "\n".join(rows)


def _lines(client: DvcStageClient) -> list[str]:
    """A line for each stage that did not stop."""
    return [
        f"  {one.stage:<9} {one.how:<9} {one.seconds:7.1f} s  {one.account}"
        for one in client.finished
        if one.status == 0
    ]


def _defect(result: dg.ExecuteInProcessResult) -> str:
    """What ended a run in which no stage stopped; an interrupt is raised again."""
    if result.dagster_run.status is dg.DagsterRunStatus.CANCELED:
        raise KeyboardInterrupt
    failures = result.filter_events(lambda event: event.is_step_failure)
    known = [event.step_failure_data.error for event in failures]
    errors = [error for error in known if error is not None]
    if any(error.cls_name == "DagsterExecutionInterruptedError" for error in errors):
        raise KeyboardInterrupt
    return errors[0].message.strip() if errors else "Dagster ended the run without a reason."
