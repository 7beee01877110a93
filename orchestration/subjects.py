"""Listed subjects as partitions of Dagster: in step with `subjects.yaml`, and learned again when
photographs come or go.

`listed_subjects` is on: it reads one small file. `new_photographs` is off until someone switches it
on.
"""

from pathlib import Path

import dagster as dg

from assets.graph import SUBJECT
from assets.subject import SUBJECTS
from mm_model.errors import UserError
from mm_model.run import stages
from orchestration import automation, dynamic, jobs, listing, outside, runs
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_lock import PHOTOGRAPHS_TAG, of_photographs

Stages = dg.ResourceParam[DvcStageClient]


def listed(root: Path, instance: dg.DagsterInstance) -> list[str]:
    """The listed subjects, after Dagster was told of those that came or went.

    Raises:
        UserError: the list is not valid.
    """
    names = _names(root)
    new, gone = dynamic.changes(SUBJECTS, names, instance)
    instance.add_dynamic_partitions(SUBJECTS.name or "", new)
    for name in gone:
        instance.delete_dynamic_partition(SUBJECTS.name or "", name)
    return names


def _names(root: Path) -> list[str]:
    return [stage.partition("@")[2] for stage in stages.listed(root)]


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives each subject of subjects.yaml its partition, and takes away that of one "
    "that is listed no more.",
)
def listed_subjects(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Keep the partitions as the list says."""
    try:
        asked = dynamic.in_step(SUBJECTS, _names(stages.root), context.instance)
    except UserError as error:
        return dg.SkipReason(str(error))
    if not asked:
        return dg.SkipReason("Every listed subject has its partition.")
    return dg.SensorResult(dynamic_partitions_requests=asked)


@dg.sensor(
    job_name=jobs.SUBJECTS,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Learns a subject whose photographs are others than it was learned from, when none "
    "of them moves.",
)
def new_photographs(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run per subject and content of its folder."""
    try:
        said = automation.settings(stages.root)
        waiting = _waiting(stages.root, context.instance)
    except UserError as error:
        return dg.SkipReason(str(error))
    quiet = runs.now() - said.quiet_seconds
    still = {name: found for name, found in waiting.items() if found.newest <= quiet}
    if not still:
        moving = f"photographs of {', '.join(waiting)} arrive" if waiting else "nothing changed"
        return dg.SkipReason(f"No subject is to be learned: {moving}.")
    if runs.under_way(context.instance):
        return dg.SkipReason("Another run is going on or waiting.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=_key(name, found, context.instance),
                partition_key=name,
                tags=automation.tags(said),
            )
            for name, found in still.items()
        ],
        dynamic_partitions_requests=[SUBJECTS.build_add_request(list(still))],
    )


def _key(name: str, found: listing.Listing, instance: dg.DagsterInstance) -> str:
    """One run per content of the folder and what was learned before: a photograph that went may
    come back."""
    before = outside.latest_record(instance, f"{SUBJECT}@{name}")
    return f"{name}:{found.digest}:{before.storage_id if before else 'none'}"


def _waiting(root: Path, instance: dg.DagsterInstance) -> dict[str, listing.Listing]:
    """Subjects whose folder holds something else than they were last learned from."""
    found: dict[str, listing.Listing] = {}
    for name in _names(root):
        stage = f"{SUBJECT}@{name}"
        there = listing.of(root / stages.given(stage, root)["folder"])
        made = outside.latest(instance, stage)
        if made is None or (made.tags or {}).get(PHOTOGRAPHS_TAG) != of_photographs(there):
            found[name] = there
    return found
