"""Asset `pairs`: which reference stands for which target.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("pairs", group="data", kinds={"parquet"}))
def pairs(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "pairs")
