"""Asset `pretrain`: the adapter, trained on images.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("pretrain", group="training", kinds={"pytorch"}, pool="gpu"))
def pretrain(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "pretrain")
