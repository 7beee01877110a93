"""Asset `finetune`: the adapter, trained on clips.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("finetune", group="training", kinds={"pytorch"}, pool="gpu"))
def finetune(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "finetune")
