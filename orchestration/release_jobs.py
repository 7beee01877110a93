"""What a person does with releases, as jobs on Dagster's page: promote, rollback, pin, unpin.

They are the commands of the same names, run as a process of their own: nothing heavy is loaded
here, and the registry's own lock is what orders them. They touch no stage, so they neither take the
tree nor a pool, and are not counted among the runs of which one goes on at a time
(`orchestration/dagster.yaml`): a rollback does not wait for a night's training.
"""

import sys

import dagster as dg

from orchestration import runs
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_command import environment
from orchestration.process_group import ProcessGroup

_STOPPED = "Stopped: "

Stages = dg.ResourceParam[DvcStageClient]


class WithReason(dg.Config):
    """Why, in a few words; kept with the pin."""

    reason: str = ""


class OfVersion(WithReason):
    """The version's number, as `make releases` lists it."""

    version: int


class BackTo(WithReason):
    """`version` 0: the champion before this one."""

    version: int = 0


def _done(context: dg.OpExecutionContext, stages: Stages, *words: str) -> dg.Output[str]:
    """Run a command of `mm_model`; what it said is the output, and stands in the run's log.

    Raises:
        dagster.Failure: it refused; the description is its sentence.
    """
    runs.claim(context.instance, context.run_id)
    command = [sys.executable, "-m", "mm_model", *words]
    with ProcessGroup(command, stages.root, environment(stages.root)) as group:
        lines = [line for line in group.lines() if line.strip()]
        status = group.wait()
    if status:
        said = [line.removeprefix(_STOPPED) for line in lines if line.startswith(_STOPPED)]
        sentence = said[-1] if said else f"{words[0]} ended with status {status}: {' '.join(lines)}"
        raise dg.Failure(sentence, allow_retries=False)
    for line in lines:
        context.log.info(line)
    return dg.Output(
        "\n".join(lines), metadata={"what came of it": dg.MetadataValue.md(" ".join(lines))}
    )


def _because(config: WithReason) -> list[str]:
    return [f"--reason={config.reason}"] if config.reason.strip() else []


@dg.op(description="Make a version champion, whatever the promotion rule says, and pin it.")
def make_champion(
    context: dg.OpExecutionContext, stages: Stages, config: OfVersion
) -> dg.Output[str]:
    return _done(context, stages, "promote", str(config.version), *_because(config))


@dg.op(description="Make an earlier version champion and pin it.")
def go_back(context: dg.OpExecutionContext, stages: Stages, config: BackTo) -> dg.Output[str]:
    to = [f"--to={config.version}"] if config.version else []
    return _done(context, stages, "rollback", *to, *_because(config))


@dg.op(description="Pin the champion as it stands.")
def keep_champion(
    context: dg.OpExecutionContext, stages: Stages, config: WithReason
) -> dg.Output[str]:
    return _done(context, stages, "pin", *_because(config))


@dg.op(description="Lift the pin: the promotion rule decides about the newest version at once.")
def lift_pin(context: dg.OpExecutionContext, stages: Stages) -> dg.Output[str]:
    return _done(context, stages, "unpin")


@dg.job(tags=runs.BESIDE, executor_def=dg.in_process_executor)
def promote() -> None:
    """Make a version champion and pin it; it stays until `unpin`."""
    make_champion()


@dg.job(tags=runs.BESIDE, executor_def=dg.in_process_executor)
def rollback() -> None:
    """Make the champion before this one, or the version named, champion and pin it."""
    go_back()


@dg.job(tags=runs.BESIDE, executor_def=dg.in_process_executor)
def pin() -> None:
    """Keep the champion that stands, whatever the promotion rule says, until `unpin`."""
    keep_champion()


@dg.job(tags=runs.BESIDE, executor_def=dg.in_process_executor)
def unpin() -> None:
    """Let the promotion rule choose the champion again, at once."""
    lift_pin()


JOBS = [promote, rollback, pin, unpin]
