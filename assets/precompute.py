"""Asset `precompute`: latents, texts and faces of every training target, in shards.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("precompute", group="training", kinds={"pytorch"}, pool="gpu"))
def precompute(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "precompute")
