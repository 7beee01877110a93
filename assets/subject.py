"""Asset `subject`: the tokens of each subject that `subjects.yaml` lists, a partition each.

Runs the stage of that subject; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset

SUBJECTS = dg.DynamicPartitionsDefinition(name="subjects")


@dg.asset(
    **stage_asset("subject", group="subjects", kinds={"pytorch"}, pool="gpu"),
    partitions_def=SUBJECTS,
)
def subject(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, f"subject@{context.partition_key}")
